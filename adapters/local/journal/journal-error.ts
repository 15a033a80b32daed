export type JournalErrorCode =
  /** A record could not be made durable; the journal takes no more until it is opened again. */
  | 'unwritable'
  /** The journal was closed. */
  | 'closed'
  /** Another process, or this one, writes the stream. */
  | 'locked'
  /** What lies in the folders does not form one unbroken chain. */
  | 'damaged'
  /** The draft has no form in which it could be kept; nothing was written and the journal goes on. */
  | 'invalid'
  /** A full segment could not be moved to the lake; its records are durable where they are. */
  | 'unsealed'
  /** A StartProxy came before the lost sessions of the last run were ended. */
  | 'sessions-open'
  /** A path in the data directory is a link or not of the kind it should be. */
  | 'unsafe';

export class JournalError extends Error {
  override readonly name = 'JournalError';
  readonly code: JournalErrorCode;

  constructor(code: JournalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
