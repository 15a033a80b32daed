/** The part of a Readable that is fed from here. */
type Sink = { push(data: Buffer | null): boolean };

/** Data smaller than this is copied together, so that one-byte packets do not cost a buffer each. */
const smallBytes = 4096;
const blockBytes = 64 * 1024;

/** Data on its way to one readable stream: what the stream does not want yet waits here, bounded by the channel's window. */
export class Inflow {
  readonly #stream: Sink;
  /** Told of bytes the stream has taken, which may be credited to the sender. */
  readonly #onTaken: (bytes: number) => void;
  readonly #chunks: Buffer[] = [];
  /** The last chunk, where it is a block of ours with room behind `#blockUsed`. */
  #block: Buffer | undefined;
  #blockUsed = 0;
  #wanted = false;
  #ended = false;

  constructor(stream: Sink, onTaken: (bytes: number) => void) {
    this.#stream = stream;
    this.#onTaken = onTaken;
  }

  get empty(): boolean {
    return this.#chunks.length === 0 && this.#block === undefined;
  }

  deliver(data: Buffer): void {
    if (data.length === 0 || this.#ended) return;
    if (this.#wanted && this.empty) this.#push(data);
    else if (data.length >= smallBytes) {
      this.#seal();
      this.#chunks.push(data);
    } else this.#gather(data);
  }

  /** The stream asks for more. */
  read(): void {
    this.#wanted = true;
    this.#drain();
  }

  /** Nothing follows; the stream ends behind what waits. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.empty) this.#stream.push(null);
  }

  discard(): void {
    this.#chunks.length = 0;
    this.#block = undefined;
    this.#ended = true;
  }

  #drain(): void {
    while (this.#wanted) {
      if (this.#chunks.length === 0) this.#seal();
      const chunk = this.#chunks.shift();
      if (chunk === undefined) break;
      this.#push(chunk);
    }
    if (this.#ended && this.empty) this.#stream.push(null);
  }

  #push(data: Buffer): void {
    this.#wanted = this.#stream.push(data);
    this.#onTaken(data.length);
  }

  #gather(data: Buffer): void {
    if (this.#block !== undefined && this.#blockUsed + data.length > this.#block.length) this.#seal();
    this.#block ??= Buffer.allocUnsafeSlow(this.empty ? smallBytes : blockBytes);
    data.copy(this.#block, this.#blockUsed);
    this.#blockUsed += data.length;
  }

  #seal(): void {
    if (this.#block !== undefined) this.#chunks.push(this.#block.subarray(0, this.#blockUsed));
    this.#block = undefined;
    this.#blockUsed = 0;
  }
}
