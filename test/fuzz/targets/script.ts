/** Reads an input as a list of things to do, so that changed bytes are changed deeds. Past its end there are zeros. */
export class Script {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get over(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    return byte;
  }

  word(): number {
    return (this.byte() << 8) | this.byte();
  }

  /** A length and so many bytes. */
  piece(): Buffer {
    const length = this.byte();
    const piece = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return piece;
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.byte() % Math.max(items.length, 1)];
  }
}

/** What a script can say, by the number of its first byte. Beside it a script may give bytes of its own. */
export const deeds = [
  'due',
  'due',
  'due-changed',
  'due-cut',
  'skip',
  'again',
  'sample',
  'sample-changed',
  'payload',
  'raw',
  'flip-next',
  'split-next',
  'withhold',
  'turn',
  'rekey',
  'close',
] as const;

export type Deed = (typeof deeds)[number];

/** A script: deeds and the bytes behind them. */
export function scriptOf(setting: readonly number[], ...parts: readonly (Deed | number)[]): Buffer {
  return Buffer.from([
    ...setting,
    ...parts.map((part) => (typeof part === 'number' ? part : deeds.indexOf(part))),
  ]);
}
