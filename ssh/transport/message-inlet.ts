import { enterTurn, leaveTurn } from './flush-turn.ts';
import type { PacketReader } from './packet-reader.ts';
import type { ReadingGate } from './reading-gate.ts';

export type MessageHandler = (plain: Buffer, payloadLength: number) => void;

export interface InletEvents {
  /** A packet, decrypted. Comes back through `deliver` where it is for the layer above. */
  onPacket(plain: Buffer): void;
  /** Everything that may be handled now has been. */
  onHandled(): void;
  onFault(error: unknown): void;
}

/** What handling messages may take in a turn of the event loop, in milliseconds. A dear message can take a tenth of one. */
const TURN_MS = 0.5;
/** The clock is looked at this often, in messages. */
const MESSAGES_PER_LOOK = 4;

/** The way in: from bytes to the layer above's messages, which may be held at any message. */
export class MessageInlet {
  readonly #reader: PacketReader;
  readonly #gate: ReadingGate;
  readonly #turnLimit: number;
  readonly #events: InletEvents;
  /** `dropping`: key exchanges go on, nothing is delivered any more. */
  #state: 'delivering' | 'dropping' | 'stopped' = 'delivering';
  #handler: MessageHandler | undefined;
  #holds = 0;
  /** A message that came when nobody listened. */
  #undelivered: Buffer | undefined;
  #parsing = false;
  #resumeScheduled = false;
  #turnBytes = 0;
  #messages = 0;
  #turnBeganAt = 0;
  /** What was read already waits for its next turn. */
  #yielding = false;

  constructor(reader: PacketReader, gate: ReadingGate, turnLimit: number, events: InletEvents) {
    this.#reader = reader;
    this.#gate = gate;
    this.#turnLimit = turnLimit;
    this.#events = events;
  }

  get handler(): MessageHandler | undefined {
    return this.#handler;
  }

  set handler(handler: MessageHandler | undefined) {
    this.#handler = handler;
    if (handler !== undefined) this.#resumeLater();
  }

  /** Whether messages wait, for the layer above or for their turn. */
  get held(): boolean {
    const waits = this.#holds > 0 || this.#undelivered !== undefined || this.#yielding;
    return this.#state === 'delivering' && waits;
  }

  get hasUnhandled(): boolean {
    return this.#undelivered !== undefined || this.#reader.unreadBytes > 0;
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    if (this.#holds === 0) return;
    this.#holds -= 1;
    if (this.#holds === 0) this.#resumeLater();
  }

  /** Takes packet bytes, valid during the call. */
  take(bytes: Buffer): void {
    if (this.#state === 'stopped') return;
    this.#countTurn(bytes.length);
    if (this.held || this.#yielding) {
      // Reading stops only when more comes: most holds are over before.
      this.#reader.append(bytes);
      this.#gate.set('piledUp', true);
      return;
    }
    this.#reader.feed(bytes);
    this.#parse();
  }

  /** Hands a message up, or keeps it until somebody listens. */
  deliver(plain: Buffer, payloadLength: number): void {
    if (this.#state !== 'delivering') return;
    if (this.#handler === undefined) {
      this.#undelivered = plain;
      return;
    }
    this.#handler(plain, payloadLength);
  }

  /** Delivers nothing any more; holds no longer count. */
  drop(): void {
    if (this.#state !== 'delivering') return;
    this.#state = 'dropping';
    this.#undelivered = undefined;
    this.#handler = undefined;
    this.#resumeLater();
  }

  stop(): void {
    this.#state = 'stopped';
    this.#undelivered = undefined;
    this.#handler = undefined;
    this.#reader.discard();
  }

  #parse(): void {
    this.#parsing = true;
    this.#turnBeganAt = performance.now();
    try {
      while (this.#state !== 'stopped' && !this.held && !this.#yielding) {
        const plain = this.#reader.next();
        if (plain === undefined) break;
        this.#events.onPacket(plain);
        this.#countMessage();
      }
    } finally {
      this.#parsing = false;
      this.#reader.keep();
    }
    if (!this.held) this.#gate.set('piledUp', false);
    this.#events.onHandled();
  }

  /** The parser is entered anew, from outside whatever the layer above is doing. */
  #resumeLater(): void {
    if (this.#resumeScheduled || this.#state === 'stopped') return;
    this.#resumeScheduled = true;
    process.nextTick(() => this.#resume());
  }

  #resume(): void {
    this.#resumeScheduled = false;
    if (this.#parsing || this.#yielding || this.#state === 'stopped') return;
    if (this.#state === 'delivering' && this.#holds > 0) return;
    enterTurn();
    try {
      const waiting = this.#undelivered;
      if (waiting !== undefined && this.#handler !== undefined) {
        this.#undelivered = undefined;
        this.deliver(waiting, waiting.length - 1 - (waiting[0] ?? 0));
      }
      this.#parse();
    } catch (error) {
      this.#events.onFault(error);
    } finally {
      leaveTurn();
    }
  }

  /** A read may hold thousands of small messages: the others have their turn in the middle of it. */
  #countMessage(): void {
    this.#messages += 1;
    if (this.#messages % MESSAGES_PER_LOOK !== 0 || this.#reader.unreadBytes === 0) return;
    if (performance.now() - this.#turnBeganAt < TURN_MS) return;
    this.#yielding = true;
    setImmediate(() => {
      this.#yielding = false;
      this.#resume();
    });
  }

  /** After its share of bytes a connection waits until the others had theirs. */
  #countTurn(bytes: number): void {
    this.#turnBytes += bytes;
    if (this.#turnBytes < this.#turnLimit) return;
    this.#turnBytes = 0;
    this.#gate.set('yielding', true);
    setImmediate(() => this.#gate.set('yielding', false));
  }
}
