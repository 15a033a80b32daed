import { cellWidth } from './cell-width.ts';

/** Text that stands together on a screen: a line, wrapped or not, or the inside of a control string such as a title. */
export type Segment = {
  /** Code points by cell; 0 is blank, -1 the second half of a wide one. */
  readonly cells: number[];
  /** All that was ever drawn there: the cell, and where its first byte stands. */
  readonly drawnCells: number[];
  readonly drawnAt: number[];
  isAscii: boolean;
  /** Whether something was drawn since it was looked at. */
  changed: boolean;
};

/** In what state the bytes before left the terminal. */
export type LineStart = { readonly mode: Mode; readonly column: number };
export const lineStart: LineStart = { mode: 'ground', column: 0 };

type Mode = 'ground' | 'escape' | 'escape-intermediate' | 'csi' | 'string';

/** `overwritten`: what it shows is about to change; `left`: drawing goes on elsewhere, or the bytes end. */
export type Look = (segment: Segment, why: 'overwritten' | 'left') => void;

export type DrawnLine = {
  /** Up to where the bytes are whole characters and sequences. */
  readonly complete: number;
  /** Behind the last byte. */
  readonly end: LineStart;
  readonly segment: Segment;
};

const maxColumns = 1000;
const maxRows = 300;
const maxParameters = 64;

/** A terminal without a known width does not wrap. */
export function drawLine(bytes: Uint8Array, start: LineStart, columns: number, look: Look): DrawnLine {
  return new Drawing(bytes, start, columns, look).draw();
}

/**
 * Follows what a line of output draws, as far as secrets need it: typed echo with corrections, colours in the middle, wrapping,
 * places by row and column. Not a whole terminal: rows above are not kept, scroll regions and margins are not followed.
 * Sequences: ECMA-48, xterm ctlseqs.
 */
class Drawing {
  readonly #bytes: Uint8Array;
  readonly #columns: number;
  readonly #look: Look;
  #segment: Segment = emptySegment();
  #string: Segment | undefined;
  readonly #rows = new Map<number, Segment>();
  #row: number | undefined;
  #mode: Mode;
  #parameters = '';
  #cell: number;
  /** The last column was drawn in; the next character begins a row (DECAWM as xterm does it). */
  #atEdge = false;
  /** 0 where nothing was drawn. */
  #lastCode = 0;
  #lastAt = 0;
  /** In a row of characters drawn over others, which were looked at before the first. */
  #overwriting = false;

  constructor(bytes: Uint8Array, start: LineStart, columns: number, look: Look) {
    this.#bytes = bytes;
    this.#columns = columns > 0 ? Math.min(columns, maxColumns) : 0;
    this.#look = look;
    this.#mode = start.mode;
    this.#cell = start.column;
    if (start.mode === 'string') this.#string = emptySegment();
  }

  draw(): DrawnLine {
    let at = 0;
    let complete = 0;
    while (at < this.#bytes.length) {
      const byte = this.#bytes[at] ?? 0;
      if (byte >= 0x20 && byte < 0x7f && this.#mode === 'ground') this.#print(byte, at++);
      else {
        const { code, length } = decodeAt(this.#bytes, at);
        if (length === 0) break;
        this.#step(code, at);
        at += length;
      }
      if (this.#mode === 'ground' || this.#mode === 'string') complete = at;
    }
    for (const segment of this.#rows.values()) if (segment !== this.#segment) this.#show(segment);
    this.#show(this.#segment);
    if (this.#string !== undefined) this.#show(this.#string);
    return {
      complete,
      end: { mode: this.#mode, column: this.#cell },
      segment: this.#string ?? this.#segment,
    };
  }

  #step(code: number, at: number): void {
    if (code === 0x1b) return this.#enter('escape');
    if (code === 0x18 || code === 0x1a) return this.#enter('ground');
    if (code >= 0x80 && code <= 0x9f) return this.#c1(code);
    switch (this.#mode) {
      case 'ground':
        return code < 0x20 || code === 0x7f ? this.#control(code) : this.#print(code, at);
      case 'string':
        return code === 0x07 ? this.#enter('ground') : this.#printInString(code, at);
      case 'escape':
        return this.#escape(code);
      case 'escape-intermediate':
        return code >= 0x30 ? this.#enter('ground') : undefined;
      case 'csi':
        return this.#csi(code);
    }
  }

  #enter(mode: Mode): void {
    if (this.#string !== undefined) this.#show(this.#string);
    this.#string = mode === 'string' ? emptySegment() : undefined;
    this.#mode = mode;
    this.#parameters = '';
  }

  #c1(code: number): void {
    if (code === 0x9b) this.#enter('csi');
    else if ([0x90, 0x98, 0x9d, 0x9e, 0x9f].includes(code)) this.#enter('string');
    else {
      this.#enter('ground');
      if (code === 0x84 || code === 0x85 || code === 0x8d) this.#leave();
    }
  }

  #escape(code: number): void {
    if (code === 0x5b) return this.#enter('csi');
    if (code === 0x5d || code === 0x50 || code === 0x58 || code === 0x5e || code === 0x5f)
      return this.#enter('string');
    if (code >= 0x20 && code < 0x30) return this.#enter('escape-intermediate');
    this.#enter('ground');
    // DECRC IND NEL RI RIS
    if ([0x38, 0x44, 0x45, 0x4d, 0x63].includes(code)) this.#leave();
  }

  #csi(code: number): void {
    if (code < 0x20) return this.#control(code);
    if (code < 0x40) {
      if (this.#parameters.length < maxParameters) this.#parameters += String.fromCharCode(code);
      return;
    }
    const parameters = this.#parameters;
    this.#enter('ground');
    if (code < 0x7f) this.#sequence(String.fromCharCode(code), parameters);
  }

  #sequence(final: string, parameters: string): void {
    const [first = 0, second = 0] = parameters.split(';').map((text) => Number.parseInt(text, 10) || 0);
    const count = Math.min(Math.max(1, first), maxColumns);
    switch (final) {
      case 'A':
        return this.#moveRows(-count);
      case 'B':
        return this.#moveRows(count);
      case 'C':
        return this.#moveTo(this.#cell - (this.#atEdge ? 1 : 0) + count);
      case 'D':
        return this.#moveTo(this.#cell - (this.#atEdge ? 1 : 0) - count);
      case 'G':
      case '`':
        return this.#moveTo(this.#rowStart() + count - 1);
      case 'H':
      case 'f':
        return this.#goTo(count, Math.max(1, second));
      case 'd':
        return this.#goTo(count, this.#cell - this.#rowStart() + 1);
      case 'J':
        return first === 0 ? this.#erase(this.#cell, this.#segment.cells.length) : this.#forget();
      case 'K':
        return this.#eraseInRow(first);
      case 'X':
        return this.#erase(this.#cell, this.#cell + count);
      case 'P':
        return this.#shift(-count);
      case '@':
        return this.#shift(count);
      case 'b':
        return this.#repeat(count);
      case 'h':
      case 'l':
        return /^\?(?:.*;)?(?:47|1047|1049)(?:;|$)/.test(parameters) ? this.#forget() : undefined;
      case 'E':
      case 'F':
        return this.#leave();
      case 'L':
      case 'M':
      case 'S':
      case 'T':
      case 'r':
      case 'u':
        return this.#forget();
      default:
        return undefined;
    }
  }

  #control(code: number): void {
    if (code === 0x08) this.#moveTo(this.#cell - (this.#atEdge ? 2 : 1));
    else if (code === 0x0d) this.#moveTo(this.#rowStart());
    else if (code === 0x09) this.#moveTo(this.#cell - (this.#cell % 8) + 8);
    else if (code === 0x0b || code === 0x0c) this.#leave();
  }

  #print(code: number, at: number): void {
    const width = code < 0x80 ? 1 : cellWidth(code);
    if (width === 0) {
      this.#segment.drawnCells.push(Math.max(0, this.#cell - 1));
      this.#segment.drawnAt.push(at);
      return;
    }
    this.#atEdge = false;
    const { cells } = this.#segment;
    const before = cells[this.#cell] ?? 0;
    if (before !== 0 && before !== code && !this.#overwriting) {
      this.#show(this.#segment, 'overwritten');
      this.#overwriting = true;
    }
    while (cells.length < this.#cell) cells.push(0);
    cells[this.#cell] = code === 0x20 ? 0 : code;
    if (width === 2) cells[this.#cell + 1] = -1;
    this.#segment.drawnCells.push(this.#cell);
    this.#segment.drawnAt.push(at);
    if (code > 0x7f) this.#segment.isAscii = false;
    this.#segment.changed = true;
    this.#cell += width;
    this.#lastCode = code;
    this.#lastAt = at;
    this.#atEdge = this.#columns > 0 && this.#cell % this.#columns === 0;
  }

  #printInString(code: number, at: number): void {
    const string = this.#string;
    if (string === undefined || code < 0x20) return;
    string.drawnCells.push(string.cells.length);
    string.drawnAt.push(at);
    string.cells.push(code);
    if (code > 0x7f) string.isAscii = false;
    string.changed = true;
  }

  /** REP: what is hidden of the character is so in its repetitions. */
  #repeat(count: number): void {
    if (this.#lastCode === 0) return;
    for (let done = 0; done < count; done += 1) this.#print(this.#lastCode, this.#lastAt);
  }

  #rowStart(): number {
    if (this.#columns === 0) return 0;
    return this.#atEdge ? this.#cell - this.#columns : this.#cell - (this.#cell % this.#columns);
  }

  /** Within the row the cursor is in. */
  #moveTo(cell: number): void {
    const from = this.#rowStart();
    const last =
      from + (this.#columns > 0 ? this.#columns : Math.max(maxColumns, this.#segment.cells.length)) - 1;
    this.#cell = Math.min(Math.max(from, cell), last);
    this.#atEdge = false;
    this.#overwriting = false;
  }

  /** Up and down within a wrapped line. */
  #moveRows(rows: number): void {
    const cell = this.#cell - (this.#atEdge ? 1 : 0) + rows * this.#columns;
    const within =
      this.#columns > 0 &&
      this.#row === undefined &&
      cell >= 0 &&
      cell <= this.#segment.cells.length + this.#columns;
    if (within) {
      this.#cell = cell;
      this.#atEdge = false;
    } else if (this.#row !== undefined) this.#goTo(this.#row + rows, this.#cell - this.#rowStart() + 1);
    else this.#leave(this.#cell - this.#rowStart());
  }

  /** CUP: what was drawn in that row by these bytes is known. */
  #goTo(row: number, column: number): void {
    if (this.#row !== row) {
      if (this.#segment.changed) this.#show(this.#segment);
      if (this.#rows.size >= maxRows) this.#rows.clear();
      this.#segment = this.#rows.get(row) ?? emptySegment();
      this.#rows.set(row, this.#segment);
      this.#row = row;
    }
    this.#atEdge = false;
    this.#cell = Math.min(column, this.#columns > 0 ? this.#columns : maxColumns) - 1;
  }

  #leave(column = 0): void {
    this.#show(this.#segment);
    this.#segment = emptySegment();
    this.#row = undefined;
    this.#cell = column;
    this.#atEdge = false;
  }

  /** The screen is another, or its rows are elsewhere. */
  #forget(): void {
    for (const segment of this.#rows.values()) this.#show(segment);
    this.#rows.clear();
    this.#leave(this.#cell - this.#rowStart());
  }

  #eraseInRow(which: number): void {
    const from = this.#rowStart();
    const end = this.#columns > 0 ? from + this.#columns : this.#segment.cells.length;
    if (which === 0) this.#erase(this.#cell, end);
    else this.#erase(from, which === 1 ? this.#cell + 1 : end);
  }

  #erase(from: number, to: number): void {
    const { cells } = this.#segment;
    const end = Math.min(to, cells.length);
    if (from >= end) return;
    this.#show(this.#segment, 'overwritten');
    if (end === cells.length) cells.length = from;
    else cells.fill(0, from, end);
  }

  /** ICH and DCH: what stands behind the cursor moves, and with it the knowledge of where it was drawn. */
  #shift(count: number): void {
    const { cells, drawnCells } = this.#segment;
    if (this.#cell >= cells.length) return;
    this.#show(this.#segment, 'overwritten');
    if (count > 0) cells.splice(this.#cell, 0, ...Array.from({ length: count }, () => 0));
    else cells.splice(this.#cell, -count);
    for (const [index, cell] of drawnCells.entries())
      if (cell >= this.#cell) drawnCells[index] = Math.max(this.#cell, cell + count);
    this.#segment.changed = true;
  }

  #show(segment: Segment, why: 'overwritten' | 'left' = 'left'): void {
    if (!segment.changed) return;
    segment.changed = false;
    this.#look(segment, why);
  }
}

function emptySegment(): Segment {
  return { cells: [], drawnCells: [], drawnAt: [], isAscii: true, changed: false };
}

/** One character of UTF-8; length 0 where its end is not there yet. What is no UTF-8 is a character of one byte. */
export function decodeAt(bytes: Uint8Array, at: number): { readonly code: number; readonly length: number } {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return { code: lead, length: 1 };
  const length =
    lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xc2 && lead < 0xe0 ? 2 : 1;
  if (length === 1) return { code: 0xfffd, length };
  let code = lead & (0xff >> (length + 1));
  for (let index = 1; index < length; index += 1) {
    const next = bytes[at + index];
    if (next === undefined) return { code, length: 0 };
    if ((next & 0xc0) !== 0x80) return { code: 0xfffd, length: 1 };
    code = (code << 6) | (next & 0x3f);
  }
  return { code: code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0xfffd : code, length };
}
