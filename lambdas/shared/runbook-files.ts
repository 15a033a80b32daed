import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseRunbook, type Runbook, type RunbookProblem } from '#core/runbook';
import { FunctionError } from './function-error.ts';

/**
 * The folder of runbooks: beside the function's bundle, where the stacks copy it, or the repository's.
 * `taskRoot` is LAMBDA_TASK_ROOT.
 */
export function runbooksFolder(taskRoot: string | undefined): string {
  const deployed = join(taskRoot ?? '', 'runbooks');
  return taskRoot !== undefined && existsSync(deployed)
    ? deployed
    : resolve(import.meta.dirname, '..', '..', 'runbooks');
}

/**
 * Every runbook of a folder by its id.
 * @throws FunctionError `runbooks` where one cannot be used: one that does not run protects nobody
 */
export function readRunbooks(folder: string): ReadonlyMap<string, Runbook> {
  const runbooks = new Map<string, Runbook>();
  const problems: RunbookProblem[] = [];
  for (const name of runbookNames(folder)) {
    const parsed = parseRunbook(readFileSync(join(folder, name), 'utf8'), name);
    if (parsed.ok) runbooks.set(parsed.runbook.id, parsed.runbook);
    else problems.push(...parsed.problems);
  }
  if (problems.length > 0)
    throw new FunctionError(
      'runbooks',
      `the runbooks of this deployment cannot be used; put them right and deploy again: ${problems
        .map(({ file, line, message }) => `${file}:${line} ${message}`)
        .join('; ')}`,
    );
  return runbooks;
}

function runbookNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .sort();
  } catch (cause) {
    throw new FunctionError('runbooks', `there are no runbooks in ${folder}; deploy the stacks again`, {
      cause,
    });
  }
}
