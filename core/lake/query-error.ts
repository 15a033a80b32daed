export type QueryErrorCode =
  /** Not one SELECT, or too long. */
  | 'refused'
  /** The engine could not make sense of the statement, or it failed on the data. */
  | 'invalid'
  /** It ran longer than it was given. */
  | 'deadline'
  /** The caller's signal ended it. */
  | 'aborted'
  /** A file of the lake could not be read. */
  | 'unreadable';

/** What a QueryEngine rejects with. */
export class QueryError extends Error {
  readonly code: QueryErrorCode;

  constructor(code: QueryErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'QueryError';
    this.code = code;
  }
}
