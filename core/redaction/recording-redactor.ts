import { HeldLine, type Place } from './held-line.ts';
import { type FoundSecret, hideSecrets, type LookedLine } from './hide-secrets.ts';
import { type KeyBlock, noKeyBlock } from './key-block.ts';
import { secretsOfLine } from './redact-text.ts';
import type { RuleSet } from './rule-set.ts';
import { lineStart } from './screen-line.ts';
import type { ValueMemory } from './value-memory.ts';
import { withoutColours } from './without-colours.ts';

export type StreamName = 'stdout' | 'stderr';

/** Given out in the order it came in, with the times it came with. */
export type Redacted<Event> =
  | { readonly kind: 'output'; readonly atMs: number; readonly stream: StreamName; readonly data: Uint8Array }
  | { readonly kind: 'event'; readonly atMs: number; readonly event: Event };

/**
 * Hides secrets in what a channel puts out, before it is recorded. A line is held back until it ends, until it is
 * `maxDelayMs` old, or, where something on it announces a secret, `maxHoldMs`; what was given out stays known, so that the rest of
 * a secret is found by what stood before it. Data that is given out may be a part of what was put in, so use it before the next call.
 */
export type RecordingRedactor<Event> = {
  output(atMs: number, stream: StreamName, data: Uint8Array): readonly Redacted<Event>[];
  /** Anything else that has its place in the recording. */
  event(atMs: number, event: Event): readonly Redacted<Event>[];
  /** 0 where there is no terminal. Call it before the `event` of the new size. */
  resize(columns: number): readonly Redacted<Event>[];
  /** Call it a few times a second while `heldBytes` is not 0. */
  tick(nowMs: number): readonly Redacted<Event>[];
  flush(): readonly Redacted<Event>[];
  /** How many secrets were hidden, by rule. */
  readonly counts: Readonly<Record<string, number>>;
  readonly heldBytes: number;
};

export type RecordingRedactorOptions = {
  readonly rules: RuleSet;
  readonly memory: ValueMemory;
  readonly columns: number;
  readonly limits?: Partial<HoldLimits>;
};

export type HoldLimits = {
  readonly maxDelayMs: number;
  readonly maxHoldMs: number;
  /** A longer line is cut, with `overlapBytes` for what follows. */
  readonly maxLineBytes: number;
  /** Over the longest match, or a secret at the cut is seen by neither side. */
  readonly overlapBytes: number;
  /** Pieces of output and events that wait for a line to end. */
  readonly maxWaiting: number;
};

const defaultLimits: HoldLimits = {
  maxDelayMs: 1000,
  maxHoldMs: 10_000,
  maxLineBytes: 48 * 1024,
  overlapBytes: 12 * 1024,
  maxWaiting: 4096,
};
const lineFeed = 10;
/** A keyword this close to the cursor announces a secret. */
const announcingCells = 300;

export function createRecordingRedactor<Event>(options: RecordingRedactorOptions): RecordingRedactor<Event> {
  return new Redactor<Event>(options);
}

type Waiting<Event> =
  | { readonly kind: 'output'; readonly place: Place<StreamName> }
  | { readonly kind: 'event'; readonly atMs: number; readonly event: Event };

type StreamState = {
  readonly line: HeldLine<StreamName>;
  block: KeyBlock;
  /** What was found on this line in the parts that were cut from it, so that the overlap is not counted twice. */
  readonly counted: Set<string>;
};

class Redactor<Event> implements RecordingRedactor<Event> {
  readonly counts: Record<string, number> = {};
  readonly #rules: RuleSet;
  readonly #memory: ValueMemory;
  readonly #limits: HoldLimits;
  readonly #streams = { stdout: newStream(), stderr: newStream() };
  #columns: number;
  #uncoloured = Buffer.alloc(0);
  #waiting: Waiting<Event>[] = [];

  constructor({ rules, memory, columns, limits }: RecordingRedactorOptions) {
    this.#rules = rules;
    this.#memory = memory;
    this.#columns = columns;
    this.#limits = { ...defaultLimits, ...limits };
  }

  get heldBytes(): number {
    return this.#streams.stdout.line.unsettled + this.#streams.stderr.line.unsettled;
  }

  output(atMs: number, stream: StreamName, data: Uint8Array): readonly Redacted<Event>[] {
    if (data.length === 0) return [];
    const place: Place<StreamName> = { atMs, stream, left: data.length, pieces: [] };
    this.#waiting.push({ kind: 'output', place });
    const state = this.#streams[stream];
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const from = this.#continueLine(state, place, bytes);
    const lastEnd = bytes.lastIndexOf(lineFeed) + 1;
    if (from < lastEnd && this.#isPlain(state, bytes, from, lastEnd))
      passOn(place, bytes.subarray(from, lastEnd));
    else if (from < lastEnd) this.#lines(state, place, bytes.subarray(from, lastEnd));
    this.#append(state, place, bytes.subarray(Math.max(from, lastEnd)));
    if (this.#waiting.length > this.#limits.maxWaiting) this.#giveOutLines();
    return this.#drain(data);
  }

  event(atMs: number, event: Event): readonly Redacted<Event>[] {
    this.#waiting.push({ kind: 'event', atMs, event });
    if (this.#waiting.length > this.#limits.maxWaiting) this.#giveOutLines();
    return this.#drain();
  }

  resize(columns: number): readonly Redacted<Event>[] {
    this.#endLine(this.#streams.stdout);
    this.#columns = columns;
    return this.#drain();
  }

  tick(nowMs: number): readonly Redacted<Event>[] {
    for (const state of Object.values(this.#streams)) {
      const age = nowMs - state.line.heldSinceMs;
      if (state.line.unsettled === 0 || age < this.#limits.maxDelayMs) continue;
      const looked = this.#look(state);
      if (age < this.#limits.maxHoldMs && this.#announces(looked)) continue;
      state.line.settle(looked.complete);
    }
    return this.#drain();
  }

  flush(): readonly Redacted<Event>[] {
    for (const state of Object.values(this.#streams)) this.#endLine(state);
    return this.#drain();
  }

  /** The end of a line that began earlier. Gives back where the next begins. */
  #continueLine(state: StreamState, place: Place<StreamName>, bytes: Buffer): number {
    if (state.line.length === 0 && state.line.start === lineStart) return 0;
    const end = bytes.indexOf(lineFeed) + 1;
    if (end === 0) return 0;
    this.#append(state, place, bytes.subarray(0, end));
    this.#endLine(state);
    return end;
  }

  #lines(state: StreamState, place: Place<StreamName>, bytes: Buffer): void {
    let plainFrom = 0;
    for (let from = 0; from < bytes.length; ) {
      const end = bytes.indexOf(lineFeed, from) + 1;
      if (!this.#isPlain(state, bytes, from, end) && !this.#readsPlain(state, bytes, from, end)) {
        passOn(place, bytes.subarray(plainFrom, from));
        this.#append(state, place, bytes.subarray(from, end));
        this.#endLine(state);
        plainFrom = end;
      }
      from = end;
    }
    passOn(place, bytes.subarray(plainFrom));
  }

  /** Whether nothing in these whole lines can be a secret, seen without drawing them. */
  #isPlain({ block }: StreamState, bytes: Buffer, from: number, to: number): boolean {
    if (block.kind !== 'none' || this.#rules.terminalKeywords.find(bytes, from, to)) return false;
    return this.#memory.size === 0 || this.#memory.find(bytes.subarray(from, to)).length === 0;
  }

  /** The same of a line that draws nothing but itself, in colours or without, read as text. */
  #readsPlain(state: StreamState, bytes: Buffer, from: number, to: number): boolean {
    if (state.block.kind !== 'none') return false;
    if (this.#uncoloured.length < to - from) this.#uncoloured = Buffer.allocUnsafe(to - from);
    const length = withoutColours(bytes, from, to, this.#uncoloured);
    if (length === undefined) return false;
    if (this.#isPlain(state, this.#uncoloured, 0, length)) return true;
    if (this.#rules.terminalControls.find(this.#uncoloured, 0, length)) return false;
    const text = this.#uncoloured.toString('utf8', 0, length).trimEnd();
    const looked = secretsOfLine(text, this.#rules, state.block, this.#memory);
    return looked.spans.length === 0 && looked.block.kind === 'none';
  }

  #append(state: StreamState, place: Place<StreamName>, bytes: Buffer): void {
    const { maxLineBytes } = this.#limits;
    for (let from = 0; from < bytes.length; ) {
      const part = bytes.subarray(from, from + maxLineBytes - state.line.length);
      state.line.append(place, part);
      from += part.length;
      if (state.line.length >= maxLineBytes) this.#cutLine(state);
    }
  }

  #look({ line, block }: StreamState): LookedLine {
    const { bytes, masks, start } = line;
    return hideSecrets({ bytes, masks, start, columns: this.#columns, block }, this.#rules, this.#memory);
  }

  #endLine(state: StreamState): void {
    const { line } = state;
    const { bytes, start } = line;
    if (line.length > 0 && start.mode === 'ground' && this.#isPlain(state, bytes, 0, bytes.length)) {
      line.settle(line.length);
      line.cut(line.length, lineStart);
    } else if (line.length > 0) {
      const looked = this.#look(state);
      this.#keep(state, looked.found);
      state.block = looked.block;
      line.settle(line.length);
      line.cut(line.length, looked.end.mode === 'string' ? { mode: 'string', column: 0 } : lineStart);
    }
    state.counted.clear();
  }

  /** Makes room in a line without an end. What may belong to a secret that is not complete yet is kept. */
  #cutLine(state: StreamState): void {
    const { line } = state;
    const { bytes, start } = line;
    if (start.mode === 'ground' && this.#isPlain(state, bytes, 0, bytes.length)) {
      const at = characterStart(bytes, bytes.length - this.#limits.overlapBytes);
      line.settle(at);
      return line.cut(at, { mode: 'ground', column: this.#columnOf(start.column + at) });
    }
    const looked = this.#look(state);
    this.#keep(state, looked.found);
    const { drawnAt, drawnCells } = looked.segment;
    const index = drawnAt.findIndex((at) => at >= line.length - this.#limits.overlapBytes);
    const at = drawnAt[index];
    if (at !== undefined && at > 0 && looked.end.mode !== 'string') {
      line.settle(at);
      line.cut(at, { mode: 'ground', column: this.#columnOf(drawnCells[index] ?? 0) });
    } else {
      line.settle(line.length);
      line.cut(line.length, { mode: looked.end.mode, column: this.#columnOf(looked.end.column) });
    }
  }

  /** Of a row, without those above it that the line had. */
  #columnOf(cell: number): number {
    return this.#columns > 0 ? cell % this.#columns : 0;
  }

  #keep(state: StreamState, found: readonly FoundSecret[]): void {
    for (const { ruleId, value, stayed } of found) {
      this.#memory.remember(value);
      const name = `${ruleId} ${value}`;
      const isAttempt = !stayed && found.some((other) => other.stayed && other.ruleId === ruleId);
      if (isAttempt || state.counted.has(name)) continue;
      state.counted.add(name);
      this.counts[ruleId] = (this.counts[ruleId] ?? 0) + 1;
    }
  }

  #announces({ segment }: LookedLine): boolean {
    const codes = segment.cells.slice(-announcingCells).map((code) => (code > 0 && code < 128 ? code : 0x20));
    return this.#rules.keywords.find(Buffer.from(codes), 0, codes.length);
  }

  /** Too much waits: what is held is given out as it is known now. */
  #giveOutLines(): void {
    for (const state of Object.values(this.#streams)) state.line.settle(this.#look(state).complete);
  }

  /** @param shared bytes that the caller may use again: what stays is copied */
  #drain(shared?: Uint8Array): readonly Redacted<Event>[] {
    const given: Redacted<Event>[] = [];
    let done = 0;
    for (const waiting of this.#waiting) {
      if (waiting.kind === 'event') given.push(waiting);
      else {
        const { atMs, stream, pieces } = waiting.place;
        waiting.place.pieces = [];
        const data = joined(pieces);
        if (data.length > 0) given.push({ kind: 'output', atMs, stream, data });
        if (waiting.place.left > 0) break;
      }
      done += 1;
    }
    this.#waiting.splice(0, done);
    const last = shared === undefined ? undefined : this.#waiting.at(-1);
    if (last?.kind === 'output') last.place.pieces = last.place.pieces.map((piece) => Uint8Array.from(piece));
    return given;
  }
}

function newStream(): StreamState {
  return { line: new HeldLine(), block: noKeyBlock, counted: new Set() };
}

/** Where the character begins that the byte belongs to. */
function characterStart(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start > at - 3 && start > 0 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return start;
}

function passOn(place: Place<StreamName>, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  place.pieces.push(bytes);
  place.left -= bytes.length;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
}
