import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Configuration, RunbookSetting } from '#core/configuration';
import { parseRunbook, type Runbook, type RunbookProblem } from '#core/runbook';
import { CliError } from './cli-error.ts';
import type { DataDirectory } from './data-directory.ts';
import { systemErrorCode } from './system-error.ts';

/** The runbooks that come with the product. */
export const productRunbooks = resolve(import.meta.dirname, '..', 'runbooks');

/** Where the configuration keeps its runbooks: a folder of its own, or the product's. */
export function configuredRunbooks(
  data: DataDirectory,
  { runbooks }: Pick<Configuration, 'runbooks'>,
): string {
  return runbooks.directory === undefined
    ? productRunbooks
    : resolve(dirname(data.configuration), runbooks.directory);
}

/** What a runbook does that the configuration does not speak of: it looks and says, and does nothing. */
const unmentioned: RunbookSetting = { mode: 'dry-run', inputs: {} };

export type ReadRunbooks = {
  readonly runbooks: readonly Runbook[];
  readonly problems: readonly RunbookProblem[];
};

/** Reads every .yaml file of a folder, in the order of their names. */
export function readRunbooks(folder: string): ReadRunbooks {
  const runbooks: Runbook[] = [];
  const problems: RunbookProblem[] = [];
  for (const path of runbookFiles(folder)) {
    const parsed = parseRunbook(readFileSync(path, 'utf8'), basename(path));
    if (parsed.ok) runbooks.push(parsed.runbook);
    else problems.push(...parsed.problems);
  }
  return { runbooks, problems };
}

/** The same, where a runbook that cannot be read must stop everything: one that does not run protects nobody. */
export function requireRunbooks(folder: string): readonly Runbook[] {
  const { runbooks, problems } = readRunbooks(folder);
  if (problems.length > 0)
    throw new CliError(
      'unusable-data',
      `the runbooks in ${folder} cannot be used:\n${problems.map(problemLine).join('\n')}`,
    );
  return runbooks;
}

export function settingOf(
  settings: Readonly<Record<string, RunbookSetting>>,
  runbook: Runbook,
): RunbookSetting {
  return settings[runbook.id] ?? unmentioned;
}

export function problemLine(problem: RunbookProblem): string {
  return `${problem.file}:${problem.line} ${problem.path === '' ? '' : `${problem.path}: `}${problem.message}`;
}

function runbookFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    throw new CliError(
      'unusable-data',
      `cannot read the folder of runbooks ${folder} (${systemErrorCode(error) ?? 'unknown'}); correct runbooks.directory in sshtrail.yaml`,
      { cause: error },
    );
  }
}
