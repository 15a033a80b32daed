import type { Side } from '../connection/index.ts';
import { RelayError } from './relay-error.ts';

/** RFC 4254 §5.2: a window never grows beyond this. */
const MAX_WINDOW = 0xffff_ffff;

/** Dropped bytes are credited at the latest when this many have been dropped. */
const CREDIT_STEP_BYTES = 32_768;

/**
 * The window of one direction of one channel as it stands at the relay. Adjustments pass end to end, so what the sender
 * may send is what the receiver granted, less the reserve held back for notices.
 *
 * Both ends' own views lag behind ours in the safe way: a sender has seen at most the credit that passed here.
 */
export class Flow {
  /** Largest data the receiver accepts in one message. */
  readonly maximumPacket: number;
  readonly #sender: Side;
  readonly #receiver: Side;
  /** What is held back of the receiver's window; it grows to `#reserveWanted` with what is granted later. */
  #reserve: number;
  readonly #reserveWanted: number;
  /** What the sender may still send. */
  #senderWindow: number;
  /** What the receiver will still take. */
  #receiverWindow: number;
  /** Injected bytes the receiver has not yet granted anew. */
  #owed = 0;
  /** Dropped bytes not yet credited to the sender. */
  #dropped = 0;

  constructor(sender: Side, window: number, maximumPacket: number, reserve = 0, reserveWanted = reserve) {
    this.#sender = sender;
    this.#receiver = sender === 'client' ? 'target' : 'client';
    this.#receiverWindow = window;
    this.#senderWindow = window - reserve;
    this.#reserve = reserve;
    this.#reserveWanted = reserveWanted;
    this.maximumPacket = maximumPacket;
  }

  /** What may be injected now without taking window the sender counts on. */
  get injectable(): number {
    return Math.min(this.#reserve - this.#owed, this.maximumPacket);
  }

  /** What of the window held back is not in use. */
  get spare(): number {
    return this.#reserve - this.#owed;
  }

  /** The most that can ever be injected at once. */
  get injectableAtMost(): number {
    return Math.min(this.#reserve, this.maximumPacket);
  }

  /** The sender sent `length` bytes. @throws RelayError where it was not granted them. */
  take(length: number): void {
    if (length > this.maximumPacket)
      throw new RelayError(
        'packet-too-large',
        `the ${this.#sender} sent ${length} bytes of data where ${this.maximumPacket} are allowed in a packet`,
        this.#sender,
      );
    if (length > this.#senderWindow)
      throw new RelayError(
        'window-exceeded',
        `the ${this.#sender} sent ${length} bytes of data into a window of ${this.#senderWindow}`,
        this.#sender,
      );
    this.#senderWindow -= length;
  }

  /** What was taken goes on to the receiver. */
  deliver(length: number): void {
    this.#receiverWindow -= length;
  }

  /** What was taken goes nowhere: it is to be credited. */
  drop(length: number): void {
    this.#dropped += length;
  }

  /** After each packet: dropped bytes to credit to the sender now, 0 while it can go on without them. */
  creditDue(): number {
    if (this.#dropped < CREDIT_STEP_BYTES && this.#dropped < this.#senderWindow) return 0;
    const credit = this.#dropped;
    this.#dropped = 0;
    this.#senderWindow += credit;
    return credit;
  }

  /** Bytes of our own go to the receiver; at most `injectable`. */
  inject(length: number): void {
    this.#owed += length;
    this.#receiverWindow -= length;
  }

  /** The receiver granted `bytes` more. Returns what of it is for the sender. @throws RelayError on overflow. */
  grant(bytes: number): number {
    if (this.#receiverWindow + bytes > MAX_WINDOW)
      throw new RelayError(
        'window-overflow',
        `the ${this.#receiver} adjusted a window of ${this.#receiverWindow} by ${bytes}, past 2^32-1`,
        this.#receiver,
      );
    this.#receiverWindow += bytes;
    const repaid = Math.min(bytes, this.#owed);
    this.#owed -= repaid;
    // OpenSSH's server confirms with no window at all and grants it when the program is known.
    // At most an eighth of all there is: a small window that is granted bit by bit would end up held back whole.
    const most = Math.min(this.#reserveWanted, Math.floor(this.#receiverWindow / 8));
    const held = Math.min(Math.max(0, most - this.#reserve), bytes - repaid);
    this.#reserve += held;
    const forSender = bytes - repaid - held;
    this.#senderWindow += forSender;
    return forSender;
  }
}
