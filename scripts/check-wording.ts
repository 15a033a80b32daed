import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { filesBelow } from './source-files.ts';
import { type WordingRule, wordingRules } from './wording-rules.ts';

export type WordingViolation = {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly text: string;
  /** What to do about it. */
  readonly message: string;
};

/** Generated, or made elsewhere: not ours to word. */
const notOurs = /^package-lock\.json$|^LICENSE$|^test\/vectors\/|(?:^|\/)[^/]+\.min\.\w+$/;

/** Everything in the files below `root` that `wording-rules.ts` does not want, in order of files and lines. Binary files are passed over. */
export function checkWording(root: string, rules: readonly WordingRule[] = wordingRules): WordingViolation[] {
  return filesBelow(root)
    .filter((file) => !notOurs.test(file))
    .flatMap((file) => {
      const bytes = readFileSync(join(root, file));
      return bytes.subarray(0, 8192).includes(0) ? [] : checkText(file, bytes.toString(), rules);
    });
}

function checkText(file: string, text: string, rules: readonly WordingRule[]): WordingViolation[] {
  const applying = rules.filter((rule) => rule.files?.test(file) ?? true);
  return text.split('\n').flatMap((content, index) =>
    applying.flatMap(({ advice, allowed, name, pattern }) =>
      [...content.matchAll(pattern)]
        .map(([match]) => match)
        .filter((match) => allowed?.(match, content) !== true)
        .map((match) => ({ file, line: index + 1, rule: name, text: match, message: advice })),
    ),
  );
}

if (import.meta.main) {
  const violations = checkWording(resolve(import.meta.dirname, '..'));
  for (const { file, line, message, rule, text } of violations)
    console.log(`${file}:${line}: ${rule}: ${JSON.stringify(text)}: ${message}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
