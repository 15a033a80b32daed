import {
  type Anchor,
  anchorAt,
  endRow,
  joinRows,
  type Reading,
  readAnchored,
  readUnanchored,
  rightOfCursor,
} from './line-reading.ts';
import { looksLikePrompt, type PromptMemory } from './prompts.ts';
import type { Mark, Screen } from './screen.ts';
import type { TypedLine } from './typed-line.ts';

/** Where the line is that a shell edits, from the moment it asks for marked pastes. Owns the marks on the screen. */
export class EditedLine {
  readonly #screen: Screen;
  readonly #prompts: PromptMemory;
  #start: Mark | undefined;
  #anchor: Anchor | undefined;
  /** zsh draws the prompt before it asks for marked pastes, bash and fish after. */
  #promptComesFirst = false;
  #anchoredAtStart = false;

  constructor(screen: Screen, prompts: PromptMemory) {
    this.#screen = screen;
    this.#prompts = prompts;
  }

  get anchor(): Anchor | undefined {
    return this.#anchor;
  }

  begin(): void {
    this.forget();
    this.#start = this.#screen.mark();
    const { column } = this.#start;
    if (!this.#promptComesFirst) return;
    if (this.#screen.text(this.#screen.cursor().row, 0, column).trim() === '') return;
    this.#anchor = anchorAt(this.#screen, column);
    this.#anchoredAtStart = true;
  }

  /** The shell itself says that the line begins here. */
  anchorHere(): void {
    this.#anchor?.mark.drop();
    this.#anchor = anchorAt(this.#screen, this.#screen.cursor().column);
    this.#anchoredAtStart = false;
  }

  /** Before a key: the line begins at the cursor, unless some of it was typed before. */
  ensureAnchor(typed: TypedLine, fresh: boolean): void {
    const cursor = this.#screen.cursor();
    if (fresh && this.#start !== undefined) {
      const atStart =
        this.#start.row() === cursor.row && this.#start.column === cursor.column && cursor.column > 0;
      if (atStart) this.#promptComesFirst = true;
      else if (this.#anchoredAtStart) this.#promptComesFirst = false;
      // Only now is the right prompt there.
      if (this.#anchoredAtStart) this.#dropAnchor();
    }
    this.#anchoredAtStart = false;
    if (this.#anchor !== undefined) return;
    const left = this.#screen.text(cursor.row, 0, cursor.column);
    // Typed before the prompt was drawn: a later key, or the end of the line, will find it.
    if (!fresh && left.trim() === '') return;
    const known = this.#prompts.leading(left);
    if (known === undefined && !fresh && this.#anchorAtStart()) return;
    const length = known?.length ?? left.length - (fresh ? 0 : echoedLength(left, typed.line));
    const column = length < left.length ? this.#screen.columnAfter(cursor.row, length) : cursor.column;
    const anchor = anchorAt(this.#screen, Math.min(column, cursor.column));
    this.#anchor = !fresh && anchor.right === '' ? { ...anchor, right: undefined } : anchor;
  }

  /** The accepted line. `shown` is what it looked like at the accept key, for a shell that has redrawn its prompt since. */
  read(all: TypedLine, typed: TypedLine, shown: string): Reading {
    const end = endRow(this.#screen);
    const anchored = this.#readAnchored(end, all);
    if (anchored !== undefined && anchored.found !== 'gone') return anchored;
    const row = this.#start?.row() ?? Math.max(0, end - this.#screen.rows);
    const from = { row: Math.min(row, end), column: row > end ? 0 : (this.#start?.column ?? 0) };
    const reading = readUnanchored(this.#screen, from, end, this.#prompts, typed);
    if (this.#anchor === undefined || reading.found !== 'guess' || shown === '') return reading;
    const stands = joinRows(this.#screen, from, end).trimEnd().endsWith(shown);
    return stands ? { text: shown, prompt: this.#anchor.prompt, found: 'gone' } : reading;
  }

  /** The line that is not accepted yet, to its end, wherever the cursor is. */
  readPending(end: number, typed: TypedLine): Reading {
    const anchored = this.#readAnchored(end, typed);
    if (anchored !== undefined) return anchored;
    const row = this.#start?.row() ?? end;
    const from = { row: Math.min(row, end), column: row > end ? 0 : (this.#start?.column ?? 0) };
    return readUnanchored(this.#screen, from, end, this.#prompts, typed);
  }

  /** The line as it stands at the accept key, without a suggestion that was not taken. */
  shownNow(): string {
    const row = this.#anchor?.mark.row();
    if (this.#anchor === undefined || row === undefined) return '';
    const cursor = this.#screen.cursor();
    const text = (at: number, start: number): string => {
      if (at < cursor.row) return this.#screen.text(at, start);
      const column = at === cursor.row ? Math.max(start, cursor.column) : start;
      return this.#screen.text(at, start, column) + this.#screen.textWithoutFaint(at, column);
    };
    const from = { row, column: this.#anchor.mark.column };
    return joinRows(this.#screen, from, endRow(this.#screen), text).trimEnd();
  }

  forget(): void {
    this.#dropAnchor();
    this.#start?.drop();
    this.#start = undefined;
    this.#anchoredAtStart = false;
  }

  /** Where the prompt was there first, what was typed ahead stands behind the place where the edit began. */
  #anchorAtStart(): boolean {
    const start = this.#start;
    const row = start?.row();
    if (start === undefined || row === undefined) return false;
    const prompt = this.#screen.text(row, 0, start.column);
    if (start.column === 0 || !looksLikePrompt(prompt)) return false;
    const cursor = this.#screen.cursor();
    const right = cursor.row === row ? rightOfCursor(this.#screen) : undefined;
    this.#anchor = { mark: start, prompt, right };
    this.#start = undefined;
    return true;
  }

  #readAnchored(end: number, typed: TypedLine): Reading | undefined {
    if (this.#anchor === undefined) return undefined;
    return readAnchored(this.#screen, this.#anchor, end, this.#prompts, typed);
  }

  #dropAnchor(): void {
    this.#anchor?.mark.drop();
    this.#anchor = undefined;
  }
}

/** How many characters at the end of the row are the beginning of what was typed. */
function echoedLength(row: string, typed: string): number {
  for (let length = Math.min(row.length, typed.length); length > 0; length -= 1)
    if (row.endsWith(typed.slice(0, length))) return length;
  // Completed already.
  const begun = typed.trim().length >= 2 ? row.lastIndexOf(typed.trim()) : -1;
  return begun < 0 ? 0 : row.length - begun;
}
