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
  | 'unreadable'
  /** It would have read more than one query may. */
  | 'scan-limit'
  /** Somebody else stopped it at the engine. */
  | 'cancelled'
  /** The engine could not be asked, or failed by itself; another try may help. */
  | 'unavailable'
  /** The role here may not ask the engine, or not read what the query reads. */
  | 'denied';

/** What a QueryEngine rejects with. */
export class QueryError extends Error {
  readonly code: QueryErrorCode;

  constructor(code: QueryErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'QueryError';
    this.code = code;
  }
}
