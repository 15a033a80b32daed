export type RunbookErrorCode =
  /** An input is not of its declared type. */
  | 'input'
  /** The runbook's status does not allow this run. */
  | 'not-runnable'
  /** The query reads a source that this deployment does not have. */
  | 'source'
  /** The query's rows do not have the columns the runbook speaks of. */
  | 'columns'
  /** There is no such finding of the runbook. */
  | 'finding'
  /** There is nothing to approve, or this person may not. */
  | 'approval'
  /** A test of the runbook says something that cannot be. */
  | 'test';

export class RunbookError extends Error {
  readonly code: RunbookErrorCode;

  constructor(code: RunbookErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'RunbookError';
    this.code = code;
  }
}
