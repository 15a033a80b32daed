import { type Passage, PassageBuilder } from './passage.ts';
import { TransferError } from './transfer-error.ts';

/** OpenSSH's SFTP_MAX_MSG_LENGTH; its limits@openssh.com announces it. */
const maxFrameBytes = 262_144;

/** What one direction of an SFTP channel is read by. */
export interface FrameListener {
  /** Asked where a frame begins: whether its head is kept back until `head` has said whether it passes. */
  holds(): boolean;
  /** How many bytes of the frame `head` needs, as far as those that are there tell; at most `frameBytes`. */
  headBytes(head: Buffer, frameBytes: number): number;
  /** The beginning of a frame, without its length: a view, and where it was held it may be changed. Only a held frame can be dropped. */
  head(head: Buffer, frameBytes: number, held: boolean): 'pass' | 'drop';
  /** The rest of a frame that passes, in pieces: views. */
  body(piece: Buffer): void;
  /** What is to be put between two frames, here. */
  between(): Buffer | undefined;
}

/**
 * Cuts a stream into the frames of draft-ietf-secsh-filexfer-02 §3 (uint32 length, byte type...). Keeps at most one head;
 * the rest of a frame, be it a block of a file, is only counted and shown.
 */
export class SftpFrames {
  readonly #listener: FrameListener;
  /** Length and head of a frame of which only a part has come. */
  #stash: Buffer = empty;
  #stashed = 0;
  #held = false;
  /** Bytes of the frame that are still to come once its head was seen. */
  #left = 0;
  #dropping = false;
  /** Bytes of earlier pieces in the stash that have not passed. */
  #owed = 0;
  #fault: TransferError | undefined;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  /** No frame has begun that has not ended. */
  get isBetween(): boolean {
    return this.#stashed === 0 && this.#left === 0;
  }

  /** What is wrong with the stream, once something is: from there on nothing is understood. */
  get fault(): TransferError | undefined {
    return this.#fault;
  }

  /** Undefined: all of it passes as it is. So does everything behind a fault, and what was kept back at that time. */
  read(data: Buffer): Passage | undefined {
    if (this.#fault !== undefined) return undefined;
    const passage = new PassageBuilder(data);
    this.#owed = this.#held ? this.#stashed : 0;
    let at = 0;
    try {
      while (at < data.length)
        at = this.#left > 0 ? this.#readRest(data, at, passage) : this.#readHead(data, at, passage);
    } catch (error) {
      if (!(error instanceof TransferError)) throw error;
      this.#fault = error;
      if (this.#owed > 0) passage.restore(at, this.#stash.subarray(0, this.#owed));
    }
    return passage.finish();
  }

  #readRest(data: Buffer, at: number, passage: PassageBuilder): number {
    const end = Math.min(data.length, at + this.#left);
    this.#left -= end - at;
    if (this.#dropping) {
      passage.cut(at, end);
      passage.drop(end - at);
    } else {
      this.#listener.body(data.subarray(at, end));
    }
    return end;
  }

  #readHead(data: Buffer, at: number, passage: PassageBuilder): number {
    if (this.#stashed === 0) {
      const added = this.#listener.between();
      if (added !== undefined) passage.add(at, added);
      this.#held = this.#listener.holds();
      const there = data.subarray(at);
      const needed = this.#needed(there);
      if (there.length >= needed) {
        this.#judge(there.subarray(0, needed));
        if (this.#dropping) {
          passage.cut(at, at + needed);
          passage.drop(needed);
        }
        return at + needed;
      }
    }
    return this.#stashHead(data, at, passage);
  }

  #stashHead(data: Buffer, start: number, passage: PassageBuilder): number {
    let at = start;
    for (;;) {
      const needed = this.#needed(this.#stash.subarray(0, this.#stashed));
      const end = Math.min(data.length, at + needed - this.#stashed);
      this.#keep(data.subarray(at, end), needed);
      at = end;
      if (this.#stashed < needed) break;
      if (this.#needed(this.#stash.subarray(0, this.#stashed)) > needed) continue;
      const head = this.#stash.subarray(0, this.#stashed);
      this.#judge(head);
      if (this.#held) passage.cut(start, at);
      if (this.#dropping) passage.drop(head.length);
      else if (this.#held) passage.restore(at, head);
      this.#stash = empty;
      this.#stashed = 0;
      this.#owed = 0;
      return at;
    }
    if (this.#held) passage.cut(start, at);
    return at;
  }

  #keep(bytes: Buffer, room: number): void {
    if (this.#stash.length < room) {
      const larger = Buffer.allocUnsafeSlow(room);
      this.#stash.copy(larger, 0, 0, this.#stashed);
      this.#stash = larger;
    }
    bytes.copy(this.#stash, this.#stashed);
    this.#stashed += bytes.length;
  }

  /** How much of a frame, from its length on, is needed, by what of it is there. */
  #needed(there: Buffer): number {
    if (there.length < 4) return 4;
    const frameBytes = there.readUInt32BE(0);
    if (frameBytes === 0 || frameBytes > maxFrameBytes)
      throw new TransferError(
        'frame-length',
        `a message of ${frameBytes} bytes is none of the file transfer; at most ${maxFrameBytes} are`,
      );
    return 4 + this.#listener.headBytes(there.subarray(4), frameBytes);
  }

  #judge(head: Buffer): void {
    const frameBytes = head.readUInt32BE(0);
    const fate = this.#listener.head(head.subarray(4), frameBytes, this.#held);
    this.#dropping = fate === 'drop';
    this.#left = frameBytes - (head.length - 4);
  }
}

const empty = Buffer.alloc(0);
