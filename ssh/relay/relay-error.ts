import type { Side } from '../connection/index.ts';

export type RelayErrorCode =
  | 'unknown-channel'
  | 'channel-number-in-use'
  | 'channel-state'
  | 'window-exceeded'
  | 'window-overflow'
  | 'packet-too-large'
  | 'unexpected-reply'
  | 'too-many-requests'
  | 'too-many-refused'
  | 'malformed'
  | 'data-refused'
  | 'window-spent'
  | 'gate-failed'
  | 'internal';

/** Why a relay ended by itself. `side` broke the protocol; it is absent where the fault is ours. */
export class RelayError extends Error {
  override readonly name = 'RelayError';
  readonly code: RelayErrorCode;
  readonly side: Side | undefined;

  constructor(code: RelayErrorCode, message: string, side?: Side, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.side = side;
  }
}
