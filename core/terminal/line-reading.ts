import {
  generalised,
  guessedPrompt,
  leadingPattern,
  looksLikePrompt,
  type PromptMemory,
  withoutRight,
} from './prompts.ts';
import type { Mark, Position, Screen } from './screen.ts';
import type { TypedLine } from './typed-line.ts';

/** Where a line begins: behind this prompt. */
export type Anchor = {
  readonly mark: Mark;
  /** The row left of the line. */
  readonly prompt: string;
  /** The right prompt: what stood there before anything was typed. Undefined where that was not seen. */
  readonly right: string | undefined;
};

export type Reading = {
  readonly text: string;
  readonly prompt: string;
  /** Where the line was found: at its anchor, behind the prompt drawn again, behind a known one, or by what prompts look like. */
  readonly found: 'anchor' | 'redrawn' | 'gone' | 'known' | 'typed' | 'guess';
  /** All from the anchor on, where a lower row only looks as if the prompt had been drawn again: it may be part of the line. */
  readonly whole?: string;
};

/** More rows than a line is ever read from. */
const maxRows = 600;

/** An anchor in the cursor's row, at the cursor or left of it. */
export function anchorAt(screen: Screen, column: number): Anchor {
  const { row } = screen.cursor();
  return { mark: screen.mark(column), prompt: screen.text(row, 0, column), right: rightOfCursor(screen) };
}

/** What stands right of the cursor after a gap, and is no suggestion: a right prompt. */
export function rightOfCursor(screen: Screen): string {
  const { row, column } = screen.cursor();
  const right = screen.textWithoutFaint(row, column).trimEnd();
  return right.startsWith(' ') ? right : '';
}

/** The last row of the line being accepted: after a line feed it is above the cursor. */
export function endRow(screen: Screen): number {
  const cursor = screen.cursor();
  const below =
    cursor.column === 0 &&
    cursor.row > 0 &&
    screen.text(cursor.row).trim() === '' &&
    !screen.wrapped(cursor.row);
  let row = below ? cursor.row - 1 : cursor.row;
  while (row < screen.lastRow && screen.wrapped(row + 1)) row += 1;
  return row;
}

/** The line behind its anchor, which may have moved: completion lists, Ctrl-L and resizes draw the prompt again further down. */
export function readAnchored(
  screen: Screen,
  anchor: Anchor,
  end: number,
  known: PromptMemory,
  typed: TypedLine,
): Reading {
  const marked = anchor.mark.row();
  const first = Math.max(0, marked ?? 0, end - maxRows);
  const read = (row: number, column: number): string =>
    joinRows(screen, { row, column }, end, (at, start) =>
      at === row ? withoutRightOf(anchor, known, screen.text(at, start)) : screen.text(at, start),
    );
  const marks = marked === undefined || marked > end ? '' : read(marked, anchor.mark.column);
  const { prompt } = anchor;
  if (prompt.trim() === '') {
    // The prompt may have come after the key.
    const late = known.leading(marks);
    if (late !== undefined) return { text: marks.slice(late.length), prompt: late, found: 'known' };
    return { text: marks, prompt, found: marked === undefined ? 'gone' : 'anchor' };
  }
  const stands = marked !== undefined && marked <= end && screen.text(marked).startsWith(prompt);
  if (stands && typed.certain && sameBut(marks, typed.line)) return { text: marks, prompt, found: 'anchor' };
  const again = drawnAgain(prompt);
  const wrapped = marked !== undefined && screen.wrapped(marked);
  for (let row = end; row >= first; row -= 1) {
    const drawn = again.exec(screen.text(row))?.[0];
    if (drawn === undefined || (screen.wrapped(row) && !wrapped)) continue;
    const text = read(row, screen.columnAfter(row, drawn.length));
    if (row === marked) return { text, prompt: drawn, found: 'anchor' };
    // A shell that lists completions draws the same line again under them.
    const [firstRow = ''] = marks.split('\n');
    const same = !stands || text.startsWith(firstRow.trimEnd());
    return { text, prompt: drawn, found: 'redrawn', ...(same ? {} : { whole: marks }) };
  }
  return { text: marks, prompt, found: 'gone' };
}

/** The line of an edit that no key marked the beginning of, since it was typed ahead. */
export function readUnanchored(
  screen: Screen,
  from: Position,
  end: number,
  known: PromptMemory,
  typed: TypedLine | undefined,
): Reading {
  const first = Math.max(from.row, end - maxRows);
  const read = (row: number, column: number): string =>
    joinRows(screen, { row, column }, end, (at, start) =>
      at === row ? withoutEdge(known.withoutRight(screen.text(at, start))) : screen.text(at, start),
    );
  const before = screen.text(first, 0, from.column);
  if (first === from.row && from.column > 0 && looksLikePrompt(before))
    return { text: read(first, from.column), prompt: before, found: 'known' };
  for (let row = end; row >= first; row -= 1) {
    if (screen.wrapped(row)) continue;
    const prompt = known.leading(screen.text(row));
    if (prompt === undefined) continue;
    return { text: read(row, screen.columnAfter(row, prompt.length)), prompt, found: 'known' };
  }
  const whole = read(first, first === from.row ? from.column : 0).trimEnd();
  const line = typed?.line.trimEnd() ?? '';
  if (line !== '' && typed?.certain === true && whole.endsWith(line)) {
    const before = whole.slice(0, whole.length - line.length);
    return { text: line, prompt: before.slice(before.lastIndexOf('\n') + 1), found: 'typed' };
  }
  const last = whole.split('\n').findLast((text) => guessedPrompt(text) !== undefined) ?? '';
  const prompt = guessedPrompt(last) ?? '';
  const at = prompt === '' ? 0 : whole.lastIndexOf(last);
  return { text: whole.slice(at + prompt.length), prompt, found: 'guess' };
}

/** The text from a position to the end of a row, with rows that go on joined and others apart. */
export function joinRows(
  screen: Screen,
  from: Position,
  end: number,
  rowText: (row: number, start: number) => string = (row, start) => screen.text(row, start),
): string {
  let text = '';
  for (let row = from.row; row <= Math.min(end, from.row + maxRows); row += 1) {
    const start = row === from.row ? from.column : 0;
    let part = rowText(row, start);
    // A right prompt that was cut off may have stood in the last cell.
    const full = screen.full(row) && part.trimEnd().length === screen.text(row, start).trimEnd().length;
    const goesOn = row < end && (screen.wrapped(row + 1) || full);
    if (!goesOn) part = `${part.trimEnd()}${row < end ? '\n' : ''}`;
    else if (!full && isWide(screen, row + 1)) part = part.replace(/ $/, '');
    text += part;
  }
  return text;
}

/** A wide character that did not fit leaves the last cell of the row before it empty. */
function isWide(screen: Screen, row: number): boolean {
  return (
    screen.columnAfter(row, 1) === 2 ||
    (screen.columnAfter(row, 2) === 2 && screen.text(row, 0, 2).length === 1)
  );
}

/** The same prompt, in which a clock may have gone on. */
function drawnAgain(prompt: string): RegExp {
  return prompt.replace(/[\d\s]/g, '').length < 2 ? exactly(prompt) : leadingPattern(generalised(prompt));
}

function exactly(prompt: string): RegExp {
  return new RegExp(`^${RegExp.escape(prompt)}`);
}

function withoutRightOf(anchor: Anchor, known: PromptMemory, row: string): string {
  if (anchor.right === undefined) return withoutEdge(known.withoutRight(row));
  return anchor.right === '' ? known.withoutRight(row) : withoutRight(row, anchor.right);
}

/** A row without a word that stands at the right edge behind a gap, as the first right prompt of a session does. */
function withoutEdge(row: string): string {
  return row.replace(/(?<=\S) {4,}\S{1,40} ?$/, '');
}

function sameBut(one: string, other: string): boolean {
  return one.replace(/\s/g, '') === other.replace(/\s/g, '');
}
