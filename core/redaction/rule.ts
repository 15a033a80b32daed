import { costProblem } from './pattern-cost.ts';
import { parsePattern, patternSource } from './pattern-syntax.ts';

/** What a secret looks like on one line of text. */
export type RedactionRule = {
  readonly id: string;
  /** The part of JavaScript's regular expressions that `parsePattern` reads. */
  readonly pattern: string;
  /** The group that is the secret; all groups that took part if absent, the whole match where there is none. */
  readonly group?: number | undefined;
  /** The pattern is tried only on lines with one of these, in any case. */
  readonly keywords: readonly string[];
  /** One of these words must stand before the match in the same command of the line. */
  readonly after?: readonly string[] | undefined;
};

export type CompiledRule = {
  readonly id: string;
  readonly expression: RegExp;
  readonly group: number | undefined;
  readonly keywords: readonly string[];
  readonly after: RegExp | undefined;
};

/** `at` says which of the rule's keys is wrong. */
export type RuleProblem = {
  readonly at: 'id' | 'pattern' | 'group' | 'keywords' | 'after';
  readonly message: string;
  readonly fix: string;
};

const minKeywordLength = 3;
const maxKeywordLength = 64;
const maxKeywords = 32;

/** The cost of the product's own rules is told by their test, since telling takes longer than all the rest. */
export function compileRule(
  rule: RedactionRule,
  cost: 'checked' | 'known' = 'checked',
):
  | { readonly ok: true; readonly rule: CompiledRule }
  | { readonly ok: false; readonly problem: RuleProblem } {
  const problem =
    wordProblem('keywords', rule.keywords, minKeywordLength) ??
    wordProblem('after', rule.after ?? ['any'], 1);
  if (problem !== undefined) return { ok: false, problem };
  const parsed = parsePattern(rule.pattern);
  if (!parsed.ok) return { ok: false, problem: { at: 'pattern', message: parsed.message, fix: parsed.fix } };
  const tooMuch = cost === 'checked' ? costProblem(parsed.pattern) : undefined;
  if (tooMuch !== undefined) return { ok: false, problem: { at: 'pattern', ...tooMuch } };
  const expression = new RegExp(patternSource(parsed.pattern), parsed.ignoreCase ? 'dgi' : 'dg');
  const groups = (new RegExp(`${expression.source}|`).exec('')?.length ?? 1) - 1;
  if (rule.group !== undefined && rule.group > groups)
    return {
      ok: false,
      problem: {
        at: 'group',
        message: `is ${rule.group}, and the pattern has ${groups} groups`,
        fix: 'count the ( that are no (?:, from 1; 0 is the whole match',
      },
    };
  const { id, group, after } = rule;
  const keywords = rule.keywords.map((keyword) => keyword.toLowerCase());
  return { ok: true, rule: { id, expression, group, keywords, after: after && commandWords(after) } };
}

function wordProblem(
  at: 'keywords' | 'after',
  words: readonly string[],
  minLength: number,
): RuleProblem | undefined {
  if (words.length === 0)
    return { at, message: 'is empty', fix: 'write a text that stands on every line with such a secret' };
  if (words.length > maxKeywords)
    return { at, message: `has more than ${maxKeywords} words`, fix: 'make it several rules' };
  const wrong = words.find(
    (word) => word.length < minLength || word.length > maxKeywordLength || !/^[\x20-\x7e]+$/.test(word),
  );
  if (wrong === undefined) return undefined;
  return {
    at,
    message: `has a word that is not ${minLength} to ${maxKeywordLength} characters of ASCII`,
    fix: 'write a longer part of what stands on every line with such a secret',
  };
}

function commandWords(words: readonly string[]): RegExp {
  const escaped = words.map((word) => word.replace(/[^A-Za-z0-9 ]/g, '\\$&'));
  return new RegExp(`(?<![\\w-])(?:${escaped.join('|')})(?![\\w-])`);
}
