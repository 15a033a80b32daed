import type { ByteLink, ByteLinkEvents } from '../../../ssh/transport/contract.ts';

/** A byte stream without a system beneath it: what the transport writes is taken at once, or when it is let. */
export class MemoryLink implements ByteLink {
  /** Bytes that the transport handed over. */
  writtenBytes = 0;
  /** Writes behind `end` or `destroy`. */
  lateWrites = 0;
  ended = false;
  readonly #onWrite: (bytes: Buffer) => void;
  #events: ByteLinkEvents | undefined;
  #closed = false;
  #withheld: { readonly bytes: number; readonly onTaken: () => void }[] | undefined;

  constructor(onWrite: (bytes: Buffer) => void) {
    this.#onWrite = onWrite;
  }

  get pendingBytes(): number {
    return this.#withheld?.reduce((sum, { bytes }) => sum + bytes, 0) ?? 0;
  }

  open(events: ByteLinkEvents): void {
    this.#events = events;
  }

  write(bytes: Buffer, onTaken: () => void): void {
    this.writtenBytes += bytes.length;
    if (this.ended) this.lateWrites += 1;
    this.#onWrite(Buffer.from(bytes));
    if (this.#withheld === undefined) onTaken();
    else this.#withheld.push({ bytes: bytes.length, onTaken });
  }

  pause(): void {
    // What comes is given at once: a pause is a wish, and an attacker's bytes are there already.
  }

  resume(): void {
    // See pause.
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.ended = true;
    this.close();
  }

  /** Bytes from the peer. They are overwritten afterwards: the transport must not have kept a view of them. */
  give(bytes: Buffer): void {
    if (this.#closed) return;
    const lent = Buffer.from(bytes);
    this.#events?.onBytes(lent);
    lent.fill(0xee);
  }

  /** The peer takes nothing, or again all. */
  withhold(withhold: boolean): void {
    const waiting = this.#withheld ?? [];
    this.#withheld = withhold ? waiting : undefined;
    if (withhold) return;
    for (const { onTaken } of waiting) onTaken();
    if (waiting.length > 0) this.#events?.onDrained();
  }

  /** The stream is gone. */
  close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.onClosed(error);
  }
}
