import { MessageNumber } from '../wire/index.ts';
import type { TransportLimits } from './contract.ts';
import { TransportError } from './transport-error.ts';
import { MAX_PACKET_LENGTH, MAX_UNTAKEN_REPLY_BYTES, UNREAD_REPLY_BYTES } from './transport-limits.ts';

/** What an unproven peer may cost: bytes and idle talk before the first key exchange is done, answers it does not read. */
export class PeerAllowance {
  readonly #limits: TransportLimits;
  #bytesBeforeReady = 0;
  #noiseBeforeReady = 0;
  #replyBytes = 0;
  #takenAtReply = 0;

  constructor(limits: TransportLimits) {
    this.#limits = limits;
  }

  /** The largest packet_length that is still within the allowance. */
  get maxLengthBeforeReady(): number {
    return Math.min(MAX_PACKET_LENGTH, this.#limits.bytesBeforeReady - this.#bytesBeforeReady);
  }

  /** @throws TransportError `limit-exceeded`. */
  countBeforeReady(bytes: number): void {
    this.#bytesBeforeReady += bytes;
    if (this.#bytesBeforeReady > this.#limits.bytesBeforeReady) throw tooMuchBeforeReady();
  }

  /** IGNORE, UNIMPLEMENTED and DEBUG count. @throws TransportError `limit-exceeded`. */
  countMessageBeforeReady(number: number): void {
    if (number < MessageNumber.ignore || number > MessageNumber.debug) return;
    this.#noiseBeforeReady += 1;
    if (this.#noiseBeforeReady > this.#limits.noiseBeforeReady) throw tooMuchBeforeReady();
  }

  /** Counts an answer of the transport's own; the count starts anew when the peer has taken something. @throws TransportError `limit-exceeded`. */
  countReply(bytes: number, takenBytes: number): void {
    if (takenBytes !== this.#takenAtReply) this.#replyBytes = 0;
    this.#takenAtReply = takenBytes;
    this.#replyBytes += bytes;
    if (this.#replyBytes > MAX_UNTAKEN_REPLY_BYTES) throw unreadReplies();
  }

  /** Whether the peer should be read no further until it takes something. */
  leavesReplies(takenBytes: number): boolean {
    return takenBytes === this.#takenAtReply && this.#replyBytes > UNREAD_REPLY_BYTES;
  }
}

export function unreadReplies(): TransportError {
  return new TransportError('limit-exceeded', 'the peer asks for answers without reading them');
}

function tooMuchBeforeReady(): TransportError {
  return new TransportError('limit-exceeded', 'the peer sends too much before the key exchange is done');
}
