import { type Passage, PassageBuilder } from './passage.ts';
import { TransferError } from './transfer-error.ts';

/** A record of the sending side. */
export type ScpRecord =
  | {
      readonly kind: 'file';
      readonly mode: number;
      readonly size: number;
      readonly name: Buffer;
      readonly line: Buffer;
    }
  | { readonly kind: 'directory'; readonly mode: number; readonly name: Buffer; readonly line: Buffer }
  | { readonly kind: 'directory-end' }
  | { readonly kind: 'times' }
  /** What went wrong, for a person to read; `fatal` ends the transfer. */
  | { readonly kind: 'error'; readonly fatal: boolean; readonly text: Buffer };

/** What the sending side is read by. */
export interface ScpSourceListener {
  /** Asked where a record begins: whether it is kept back until `record` has said whether it passes. */
  holds(): boolean;
  /** Only a held record can be dropped. `instead` goes on in its place. */
  record(record: ScpRecord): { readonly fate: 'pass' } | { readonly fate: 'drop'; readonly instead: Buffer };
  content(piece: Buffer): void;
  /** The content is whole, or the sending side says what went wrong with it. */
  contentEnded(error: Buffer | undefined): void;
}

/** A name of PATH_MAX and what stands before it; scp itself has room for as much. */
const maxLineBytes = 4_200;

/** The sending side of rcp's protocol, which scp took over: records that are lines, and the content of files after theirs. */
export class ScpSource {
  readonly #listener: ScpSourceListener;
  #state: 'record' | 'content' | 'trailer' | 'trailer-error' = 'record';
  #line: Buffer = Buffer.alloc(0);
  #held = false;
  /** Bytes of content still to come. */
  #left = 0;
  #fault: TransferError | undefined;

  constructor(listener: ScpSourceListener) {
    this.#listener = listener;
  }

  get fault(): TransferError | undefined {
    return this.#fault;
  }

  /** The receiving side does not want the file whose record came last: no content follows. */
  skipContent(): void {
    if (this.#state === 'content' || this.#state === 'trailer') this.#state = 'record';
    this.#left = 0;
  }

  /** Undefined: all of it passes as it is. So does everything behind a fault, and what was kept back at that time. */
  read(data: Buffer): Passage | undefined {
    if (this.#fault !== undefined) return undefined;
    const passage = new PassageBuilder(data);
    const owed = this.#held ? this.#line : Buffer.alloc(0);
    let at = 0;
    try {
      while (at < data.length) at = this.#readSome(data, at, passage);
    } catch (error) {
      if (!(error instanceof TransferError)) throw error;
      this.#fault = error;
      if (at === 0 && owed.length > 0) passage.restore(0, owed);
    }
    return passage.finish();
  }

  #readSome(data: Buffer, at: number, passage: PassageBuilder): number {
    switch (this.#state) {
      case 'content':
        return this.#readContent(data, at);
      case 'trailer':
        return this.#readTrailer(data, at);
      case 'trailer-error':
      case 'record':
        return this.#readLine(data, at, passage);
    }
  }

  #readContent(data: Buffer, at: number): number {
    const end = Math.min(data.length, at + this.#left);
    this.#left -= end - at;
    if (end > at) this.#listener.content(data.subarray(at, end));
    if (this.#left === 0) this.#state = 'trailer';
    return end;
  }

  #readTrailer(data: Buffer, at: number): number {
    if (data[at] !== 0) {
      this.#state = 'trailer-error';
      return at;
    }
    this.#state = 'record';
    this.#listener.contentEnded(undefined);
    return at + 1;
  }

  #readLine(data: Buffer, at: number, passage: PassageBuilder): number {
    const before = this.#line;
    if (before.length === 0) this.#held = this.#state === 'record' && this.#listener.holds();
    const newline = data.indexOf(0x0a, at);
    const end = newline < 0 ? data.length : newline + 1;
    if (before.length + end - at > maxLineBytes)
      throw new TransferError('frame-length', 'a record of scp is longer than any');
    const line = Buffer.concat([before, data.subarray(at, end)]);
    if (newline < 0) {
      this.#line = line;
      if (this.#held) passage.cut(at, end);
      return end;
    }
    this.#complete(line, before.length, at, end, passage);
    this.#line = Buffer.alloc(0);
    return end;
  }

  #complete(line: Buffer, earlier: number, at: number, end: number, passage: PassageBuilder): void {
    if (this.#state === 'trailer-error') {
      this.#state = 'record';
      const record = parseRecord(line);
      if (record.kind !== 'error')
        throw new TransferError('malformed', 'a file of scp does not end where its length says');
      this.#listener.contentEnded(record.text);
      return;
    }
    const record = parseRecord(line);
    const verdict = this.#listener.record(record);
    if (verdict.fate === 'drop') {
      passage.cut(at, end);
      passage.drop(line.length);
      passage.add(end, verdict.instead);
      return;
    }
    if (this.#held && earlier > 0) {
      passage.cut(at, end);
      passage.restore(end, line);
    }
    if (record.kind !== 'file') return;
    this.#left = record.size;
    this.#state = 'content';
    // An empty file has no content, and its end comes at once.
    if (record.size === 0) this.#state = 'trailer';
  }
}

/** `C0644 12 name`, `D0755 0 name`, `E`, `T1 0 1 0`, and 1 or 2 before a text. @throws TransferError */
function parseRecord(bytes: Buffer): ScpRecord {
  const line = bytes.subarray(0, -1);
  const type = line[0];
  if (type === 1 || type === 2) return { kind: 'error', fatal: type === 2, text: line.subarray(1) };
  if (type === 0x45 && line.length === 1) return { kind: 'directory-end' };
  if (type === 0x54 && /^T\d{1,20} \d{1,6} \d{1,20} \d{1,6}$/.test(line.toString('latin1')))
    return { kind: 'times' };
  const fields = /^([CD])([0-7]{4,5}) (\d{1,16}) ([^]+)$/.exec(line.toString('latin1'));
  const size = Number(fields?.[3]);
  if (fields === null || !Number.isSafeInteger(size))
    throw new TransferError('malformed', 'a record of scp has not the fields its type says');
  const mode = Number.parseInt(fields[2] ?? '', 8);
  const name = Buffer.from(fields[4] ?? '', 'latin1');
  return fields[1] === 'C'
    ? { kind: 'file', mode, size, name, line }
    : { kind: 'directory', mode, name, line };
}
