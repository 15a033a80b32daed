/**
 * `spool`: the spool cannot be written; `backlog`: it is written more slowly than output arrives; `store`: a chunk or manifest
 * could not be stored (it waits in the spool for the recovery); `conflict`: its key is taken; `thread`: the recording thread has failed; `damaged`: a spool that
 * recovery cannot make a recording of; `index`: a recording is stored, but what it showed cannot be searched.
 */
export type RecorderErrorCode = 'spool' | 'backlog' | 'thread' | 'store' | 'conflict' | 'damaged' | 'index';

export class RecorderError extends Error {
  override readonly name = 'RecorderError';
  readonly code: RecorderErrorCode;

  constructor(code: RecorderErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
