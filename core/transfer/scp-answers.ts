import { TransferError } from './transfer-error.ts';

/** What the receiving side says to a record: 0, or 1 or 2 and a text. */
export type ScpAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly fatal: boolean; readonly text: Buffer };

const maxTextBytes = 4_200;

/** The receiving side of scp's protocol. */
export class ScpAnswers {
  readonly #answered: (answer: ScpAnswer) => void;
  #text: number[] | undefined;
  #fatal = false;
  #fault: TransferError | undefined;

  constructor(answered: (answer: ScpAnswer) => void) {
    this.#answered = answered;
  }

  get fault(): TransferError | undefined {
    return this.#fault;
  }

  /** Nothing has begun that has not ended. */
  get isBetween(): boolean {
    return this.#text === undefined;
  }

  read(data: Buffer): void {
    try {
      for (const byte of data) this.#take(byte);
    } catch (error) {
      if (!(error instanceof TransferError)) throw error;
      this.#fault = error;
    }
  }

  #take(byte: number): void {
    if (this.#fault !== undefined) return;
    if (this.#text === undefined) {
      if (byte === 0) this.#answered({ ok: true });
      else if (byte === 1 || byte === 2) {
        this.#text = [];
        this.#fatal = byte === 2;
      } else
        throw new TransferError('malformed', 'the receiving side of scp answered with neither 0, 1 nor 2');
      return;
    }
    if (byte === 0x0a) {
      const text = Buffer.from(this.#text);
      this.#text = undefined;
      this.#answered({ ok: false, fatal: this.#fatal, text });
      return;
    }
    if (this.#text.length >= maxTextBytes)
      throw new TransferError('frame-length', 'an answer of scp is longer than any');
    this.#text.push(byte);
  }
}
