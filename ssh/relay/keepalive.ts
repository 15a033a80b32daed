import { encodeGlobalRequest } from '../connection/index.ts';
import type { KeepaliveSettings } from './contract.ts';
import type { Leg } from './leg.ts';

/**
 * Notices that a leg's peer is gone: TCP alone says nothing of one that vanished, nor of any while its socket is not read. A silence is
 * looked at twice in each interval, so that the first question comes after one interval to one and a half.
 */
export class Keepalive {
  readonly #leg: Leg;
  readonly #settings: KeepaliveSettings;
  readonly #onGone: () => void;
  readonly #timer: NodeJS.Timeout;
  #bytesHeard: number;
  #quietLooks = 0;
  #unanswered = 0;

  constructor(leg: Leg, settings: KeepaliveSettings, onGone: () => void) {
    this.#leg = leg;
    this.#settings = settings;
    this.#onGone = onGone;
    this.#bytesHeard = leg.transport.bytesIn;
    this.#timer = setInterval(() => this.#look(), settings.intervalMs / looksPerInterval).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { bytesIn } = this.#leg.transport;
    // What we do not read ourselves proves nothing of the peer.
    const unread = this.#leg.takeUnread();
    if (bytesIn !== this.#bytesHeard || unread) {
      this.#bytesHeard = bytesIn;
      this.#quietLooks = 0;
      this.#unanswered = 0;
      return;
    }
    this.#quietLooks += 1;
    if (this.#quietLooks < looksPerInterval) return;
    this.#quietLooks = 0;
    if (this.#unanswered >= this.#settings.maxUnanswered) {
      this.stop();
      this.#onGone();
      return;
    }
    this.#unanswered += 1;
    // A peer that talks but never answers questions gets no more of them; its silence counts all the same.
    if (this.#leg.other.replies.ownQuestions < this.#settings.maxUnanswered) this.#leg.ask(question);
  }
}

const looksPerInterval = 2;
/** OpenSSH PROTOCOL does not list it, but every peer answers a request it does not know, with REQUEST_FAILURE (RFC 4254 §4). */
const question = encodeGlobalRequest({
  type: 'keepalive@openssh.com',
  wantReply: true,
  detail: { kind: 'keepalive' },
});
