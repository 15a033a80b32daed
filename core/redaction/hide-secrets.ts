import { cellWidth } from './cell-width.ts';
import type { KeyBlock } from './key-block.ts';
import { secretsOfLine } from './redact-text.ts';
import type { RuleSet } from './rule-set.ts';
import { type DrawnLine, decodeAt, drawLine, type LineStart, type Segment } from './screen-line.ts';
import type { ValueMemory } from './value-memory.ts';

/** What to put out for a byte: itself, nothing, or one or two asterisks. */
const byteMask = { keep: 0, drop: 1, asterisk: 2, twoAsterisks: 3 } as const;

export type LineLook = {
  readonly bytes: Uint8Array;
  /** One for each byte; what is hidden once stays so. */
  readonly masks: Uint8Array;
  readonly start: LineStart;
  /** 0 where the terminal's width is not known. */
  readonly columns: number;
  readonly block: KeyBlock;
};

export type LookedLine = DrawnLine & {
  /** The key block the next line begins in, if this one is over. */
  readonly block: KeyBlock;
  readonly found: readonly FoundSecret[];
};

export type FoundSecret = {
  readonly ruleId: string;
  readonly value: string;
  /** Not drawn over on the same line. */
  readonly stayed: boolean;
};

/** Cells that may be looked at again because something is drawn over them, so that a stream of corrections costs no more than a multiple. */
const minAgainCells = 65_536;
const againCellsPerByte = 8;
const maxFound = 256;

/** Marks in `masks` what must not be shown of a line of terminal output. */
export function hideSecrets(line: LineLook, set: RuleSet, memory: ValueMemory): LookedLine {
  const found = new Map<string, FoundSecret>();
  let { block } = line;
  let again = minAgainCells + againCellsPerByte * line.bytes.length;
  const drawn = drawLine(line.bytes, line.start, line.columns, (segment, why) => {
    if (why === 'overwritten') {
      again -= segment.cells.length;
      if (again < 0) return;
    }
    const { text, cells } = textOf(segment);
    const looked = secretsOfLine(text, set, block, memory);
    if (why === 'left') block = looked.block;
    if (looked.spans.length === 0) return;
    const hidden = new Uint8Array(segment.cells.length + 1);
    for (const { start, end, ruleId } of looked.spans) {
      const value = text.slice(start, end);
      if (found.size < maxFound) found.set(`${ruleId} ${value}`, { ruleId, value, stayed: why === 'left' });
      hidden.fill(1, cells?.[start] ?? start, cells?.[end] ?? end);
    }
    maskDrawn(line, segment, hidden);
  });
  return { ...drawn, block, found: withoutBeginnings([...found.values()]) };
}

/** The text, and the cell of each of its units where that is not the same number. */
function textOf(segment: Segment): { readonly text: string; readonly cells: readonly number[] | undefined } {
  if (segment.isAscii) return { text: asciiText(segment.cells), cells: undefined };
  let text = '';
  const cells: number[] = [];
  for (const [cell, code] of segment.cells.entries()) {
    if (code < 0) continue;
    const character = code === 0 ? ' ' : String.fromCodePoint(code);
    text += character;
    for (let unit = 0; unit < character.length; unit += 1) cells.push(cell);
  }
  cells.push(segment.cells.length);
  return { text, cells };
}

function asciiText(cells: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(cells.length);
  for (let cell = 0; cell < cells.length; cell += 1) bytes[cell] = cells[cell] || 0x20;
  return bytes.toString('latin1');
}

/** All that was drawn in hidden cells so far, blanks apart: they erase, and say nothing. */
function maskDrawn({ bytes, masks }: LineLook, { drawnCells, drawnAt }: Segment, hidden: Uint8Array): void {
  for (const [index, cell] of drawnCells.entries()) {
    const at = drawnAt[index] ?? 0;
    if (hidden[cell] !== 1 || bytes[at] === 0x20) continue;
    const { code, length } = decodeAt(bytes, at);
    const width = cellWidth(code);
    masks.fill(byteMask.drop, at, at + length);
    if (width > 0) masks[at] = width === 2 ? byteMask.twoAsterisks : byteMask.asterisk;
  }
}

/** A value that is typed with corrections is found at each; its beginnings say nothing. */
function withoutBeginnings(found: readonly FoundSecret[]): readonly FoundSecret[] {
  return found.filter(
    ({ ruleId, value, stayed }) =>
      stayed ||
      !found.some(
        (other) =>
          other.ruleId === ruleId && other.value.length > value.length && other.value.startsWith(value),
      ),
  );
}

/** The bytes to put out, as a copy. Shorter where a character of more bytes than cells is hidden. */
export function maskedBytes(bytes: Uint8Array, masks: Uint8Array): Uint8Array {
  if (!masks.some((mask) => mask !== byteMask.keep)) return Uint8Array.from(bytes);
  const shown = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const mask = masks[at];
    if (mask === byteMask.drop) continue;
    shown[length++] = mask === byteMask.keep ? (bytes[at] ?? 0) : 0x2a;
    if (mask === byteMask.twoAsterisks) shown[length++] = 0x2a;
  }
  return shown.subarray(0, length);
}
