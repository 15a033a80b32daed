export type JournalErrorCode =
  /** A record could not be made durable; the journal takes no more until it is opened again. */
  | 'unwritable'
  /** The journal was closed. */
  | 'closed'
  /** Another process, or this one, writes the stream. */
  | 'locked'
  /** Another writer has appended to the stream: this one is its writer no longer, and takes no more. */
  | 'fenced'
  /** What is stored does not form one unbroken chain. */
  | 'damaged'
  /** The draft has no form in which it could be kept; nothing was written and the journal goes on. */
  | 'invalid'
  /** A full segment could not be moved to the lake; its records are durable where they are. */
  | 'unsealed'
  /** What is in the lake could not be signed; it is tried again. */
  | 'unsigned'
  /** Another place that gets every record has not had them for long; they are in the lake. */
  | 'undelivered'
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

export function journalClosed(): JournalError {
  return new JournalError('closed', 'the journal was closed; open it again to record more');
}
