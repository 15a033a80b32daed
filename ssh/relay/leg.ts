import type { GlobalRequest, Side } from '../connection/index.ts';
import type { Transport } from '../transport/contract.ts';
import { ReplyQueue } from './reply-queue.ts';

/** One of the two connections of a relay, and when to stop reading it. */
export class Leg {
  readonly side: Side;
  readonly transport: Transport;
  /** Global requests of this leg's peer that want a reply, and ours to the other leg's: both get their answers there. */
  readonly replies: ReplyQueue<GlobalRequest>;
  /** Our output to this peer is over the transport's high mark. */
  #congested = false;
  /** We answered this peer in place of the other although it was not reading: its own requests feed its backlog. */
  #answeredUnread = false;
  #paused = false;
  #holds = 0;
  /** Since the last look this peer's messages were, for a while at least, not taken. */
  #wasUnread = false;
  #other: Leg | undefined;

  constructor(side: Side, transport: Transport, maxPendingRequests: number) {
    this.side = side;
    this.transport = transport;
    this.replies = new ReplyQueue(maxPendingRequests);
  }

  get other(): Leg {
    if (this.#other === undefined) throw new Error('a leg of the relay was used before it was paired');
    return this.#other;
  }

  /** Makes each the other of the other: the backlog of one pauses the reading of its source. */
  static pair(client: Leg, target: Leg): void {
    client.#other = target;
    target.#other = client;
    client.#watchBacklog();
    target.#watchBacklog();
  }

  /** The transport's, counted here, too: what is held back is not the peer's silence. */
  hold(): void {
    this.#holds += 1;
    this.#wasUnread = true;
    this.transport.hold();
  }

  release(): void {
    this.#holds -= 1;
    this.transport.release();
  }

  /** Whether this peer was not read at all times since the last call, or is not now. */
  takeUnread(): boolean {
    const unread = this.#wasUnread;
    this.#wasUnread = this.#paused || this.#holds > 0;
    return unread;
  }

  /** Asks this peer a question of ours; the answer comes in turn with those to what was passed on. */
  ask(request: Buffer): void {
    this.other.replies.expectOurs();
    this.transport.send(request);
  }

  /** Sends an answer of ours to something this peer sent. */
  answer(payload: Buffer): void {
    this.transport.send(payload);
    if (!this.#congested || this.#answeredUnread) return;
    this.#answeredUnread = true;
    this.#reviewPause();
  }

  #watchBacklog(): void {
    this.transport.onBacklog = (congested) => {
      this.#congested = congested;
      if (!congested) this.#answeredUnread = false;
      this.#reviewPause();
      this.other.#reviewPause();
    };
  }

  #reviewPause(): void {
    const paused = this.other.#congested || this.#answeredUnread;
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#wasUnread ||= paused;
    this.transport.setReadPaused(paused);
  }
}
