import { printable } from '../wording/index.ts';

/** One thing wrong with a file, where it stands and what to do about it. Never contains a value from the file that may be secret. */
export type Problem = {
  readonly file: string;
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  /** E.g. `targets[0].hostKeys[1]`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly fix: string;
};

/** Two lines a problem, `file:line:column` first so that editors and terminals can jump to it. Takes policy problems too. */
export function formatProblems(
  problems: readonly (Omit<Problem, 'path'> & { readonly path?: string })[],
): string {
  return problems
    .map(({ file, line, column, path, message, fix }) => {
      const where = `${printable(file)}:${line}:${column}`;
      const what = path === undefined || path === '' ? message : `${path}: ${message}`;
      return `${where}: ${printable(what)}\n    ${printable(fix)}\n`;
    })
    .join('');
}
