import type { ContentHasher, Sha256Status, TransferredBytes } from './file-operation.ts';

/**
 * The content of one open file as it passes: how much, and its SHA-256 as long as it comes in order from the first byte on.
 */
export class FileContent {
  #read = 0;
  #written = 0;
  readonly #startHasher: () => ContentHasher;
  #emptyAtFirst: boolean;
  #hasher: ContentHasher | undefined;
  /** Where the next byte must be for the hash to go on. */
  #position = 0;
  #spoiled: Sha256Status | undefined;
  #hashesBlock = false;
  /** The file ends, or ended at some time while it was open, where the hash does. */
  #wholeAt: number | undefined;

  /** `emptyAtFirst`: the file was new or truncated. */
  constructor(startHasher: () => ContentHasher, emptyAtFirst: boolean) {
    this.#startHasher = startHasher;
    this.#emptyAtFirst = emptyAtFirst;
  }

  /** A block that begins at `offset` follows, by `block`. */
  begin(way: 'read' | 'write', offset: number): void {
    if (way === 'read' ? this.#written > 0 : this.#read > 0) this.spoil('both-ways');
    if (offset !== this.#position) this.spoil('out-of-order');
    this.#hashesBlock = this.#spoiled === undefined;
  }

  block(way: 'read' | 'write', bytes: Buffer): void {
    if (way === 'read') this.#read += bytes.length;
    else this.#written += bytes.length;
    if (!this.#hashesBlock || this.#spoiled !== undefined || bytes.length === 0) return;
    this.#hasher ??= this.#startHasher();
    this.#hasher.update(bytes);
    this.#position += bytes.length;
  }

  /** The target did not take a block it was sent. */
  writeFailed(length: number): void {
    this.#written = Math.max(0, this.#written - length);
    this.spoil('failed-write');
  }

  /** Reading at `offset` met the end of the file. */
  endsBefore(offset: number): void {
    if (offset <= this.#position) this.#wholeAt = this.#position;
  }

  /** The target says the file is this long now. */
  hasSize(size: number): void {
    this.#wholeAt = size;
  }

  /** The file was cut, or made longer, to this size. */
  resized(size: number): void {
    if (size === 0 && this.#position === 0) this.#emptyAtFirst = true;
    else if (size < this.#position) this.spoil('out-of-order');
    this.#wholeAt = size;
  }

  spoil(status: Sha256Status): void {
    if (this.#spoiled !== undefined) return;
    this.#spoiled = status;
    this.#hasher?.discard();
    this.#hasher = undefined;
  }

  finish(): TransferredBytes {
    const { status, sha256 } = this.#hash();
    return { bytesRead: this.#read, bytesWritten: this.#written, sha256Status: status, sha256 };
  }

  #hash(): { readonly status: Sha256Status; readonly sha256: Promise<string | undefined> } {
    if (this.#spoiled !== undefined) return { status: this.#spoiled, sha256: Promise.resolve(undefined) };
    const isWritten = this.#emptyAtFirst && this.#read === 0 && (this.#wholeAt ?? 0) <= this.#position;
    const isWhole = this.#wholeAt === this.#position || isWritten;
    if (this.#position === 0 && !isWhole) return { status: 'no-bytes', sha256: Promise.resolve(undefined) };
    const hasher = this.#hasher ?? this.#startHasher();
    this.#hasher = undefined;
    return { status: isWhole ? 'whole' : 'prefix', sha256: hasher.digest() };
  }
}
