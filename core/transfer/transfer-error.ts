export type TransferErrorCode =
  | 'frame-length'
  | 'malformed'
  | 'version'
  | 'id-reused'
  | 'too-many-requests'
  | 'too-many-handles'
  | 'unexpected-reply'
  | 'unexpected-data';

/** What a peer sent is no transfer protocol, or breaks it: from here on the bytes are not understood any more. */
export class TransferError extends Error {
  override readonly name = 'TransferError';
  readonly code: TransferErrorCode;

  constructor(code: TransferErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
