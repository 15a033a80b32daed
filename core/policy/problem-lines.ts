import { printable } from '../wording/index.ts';
import type { PolicyProblem } from './load-policy.ts';

/** One line a problem, its place first. */
export function problemLines(problems: readonly PolicyProblem[]): string {
  return problems
    .map(({ file, line, column, message, fix }) => `${printable(file)}:${line}:${column} ${message}; ${fix}`)
    .join('\n');
}
