import type { CommandList } from './command-list.ts';
import type { Key } from './key-reader.ts';
import { generalised, looksLikePrompt } from './prompts.ts';
import { ownsScreen } from './running-program.ts';
import type { Screen } from './screen.ts';
import { nothingTyped, type TypedLine, typeKey } from './typed-line.ts';

/** A place on the alternate screen, whose rows do not move. */
type PaneAnchor = {
  readonly row: number;
  readonly column: number;
  /** The columns of the pane: between borders, or all. */
  readonly left: number;
  readonly right: number;
  readonly prompt: string;
};

type Sent = {
  readonly atMs: number;
  readonly typed: TypedLine;
  readonly anchor: PaneAnchor;
  /** Whether the row is known, or the line was sent before its prompt was drawn. */
  readonly placed: boolean;
  readonly text: string;
};

const maxSent = 16;
const maxLineRows = 40;

/**
 * Lines typed to a shell inside tmux or screen, whose alternate screen keeps the shell's own marks from us. The line is read
 * from the pane until the cursor leaves it, so its confidence is never above medium.
 */
export class PaneLine {
  readonly #screen: Screen;
  readonly #list: CommandList;
  #anchor: PaneAnchor | undefined;
  #typed: TypedLine = nothingTyped;
  #afterPrefix = false;
  #sent: Sent[] = [];

  constructor(screen: Screen, list: CommandList) {
    this.#screen = screen;
    this.#list = list;
  }

  key(key: Key, atMs: number): void {
    if (ownsScreen(this.#list.running)) return;
    if (key.kind === 'interrupt') {
      this.#forget();
      return;
    }
    this.#ensureAnchor();
    if (key.kind === 'accept') {
      if (key.byte !== 0x0f) this.#accept(atMs);
      return;
    }
    // What follows the multiplexer's own key is for it.
    const forMultiplexer = this.#afterPrefix && key.kind === 'text';
    this.#afterPrefix = key.kind === 'other' && this.#typed.typed === 0;
    if (this.#afterPrefix) return;
    this.#typed = typeKey(this.#typed, forMultiplexer ? { kind: 'text', text: key.text.slice(1) } : key);
  }

  afterOutput(): void {
    while (this.#sent.length > 0) {
      const [first] = this.#sent;
      if (first === undefined) return;
      const placed = first.placed ? first : this.#place(first);
      if (placed === undefined) {
        if (!this.#isShown(first)) return;
        this.#tell(first);
      } else if (this.#stillIn(placed.anchor)) {
        this.#sent[0] = { ...placed, text: this.#read(placed.anchor) };
        return;
      } else this.#tell(placed);
      this.#sent.shift();
    }
  }

  /** The alternate screen goes away, and what was sent with it. */
  leave(): void {
    for (const sent of this.#sent)
      if (sent.placed)
        this.#tell(this.#stillIn(sent.anchor) ? { ...sent, text: this.#read(sent.anchor) } : sent);
    this.#sent = [];
    this.#forget();
  }

  pending(): { readonly text: string; readonly prompt: string; readonly typed: TypedLine } | undefined {
    const anchor = this.#anchor;
    if (anchor === undefined || ownsScreen(this.#list.running)) return undefined;
    if (!looksLikePrompt(anchor.prompt)) return undefined;
    return { text: this.#read(anchor), prompt: anchor.prompt, typed: this.#typed };
  }

  #accept(atMs: number): void {
    const anchor = this.#anchor ?? this.#sent.at(-1)?.anchor;
    const typed = this.#typed;
    const placed = this.#anchor !== undefined;
    this.#forget();
    if (anchor === undefined || !looksLikePrompt(anchor.prompt)) return;
    if (typed.typed === 0 && typed.certain && this.#sent.length > 0) return;
    this.#sent.push({ atMs, typed, anchor, placed, text: placed ? this.#read(anchor) : '' });
    if (this.#sent.length > maxSent) this.#sent.shift();
  }

  #ensureAnchor(): void {
    if (this.#sent.length > 0) return;
    const anchor = this.#anchor;
    if (anchor !== undefined && (this.#stillIn(anchor) || !looksLikePrompt(this.#here().prompt))) return;
    if (anchor !== undefined) this.#typed = nothingTyped;
    this.#anchor = this.#here();
  }

  #here(): PaneAnchor {
    const { row, column } = this.#screen.cursor();
    const before = this.#screen.text(row, 0, column);
    const border = before.lastIndexOf('│');
    const left = border < 0 ? 0 : this.#screen.columnAfter(row, border + 1);
    const after = this.#screen.text(row, column).indexOf('│');
    const right = after < 0 ? this.#screen.columns : column + after;
    return { row, column, left, right, prompt: this.#screen.text(row, left, column) };
  }

  #stillIn(anchor: PaneAnchor): boolean {
    const cursor = this.#screen.cursor();
    if (cursor.row < anchor.row || cursor.row > anchor.row + maxLineRows) return false;
    if (cursor.row === anchor.row && cursor.column < anchor.column) return false;
    for (let row = anchor.row; row < cursor.row; row += 1) if (!this.#isFull(anchor, row)) return false;
    return this.#screen.text(anchor.row, anchor.left, anchor.column) === anchor.prompt;
  }

  #isFull(anchor: PaneAnchor, row: number): boolean {
    return this.#screen.text(row, anchor.right - 1, anchor.right).trim() !== '';
  }

  #read(anchor: PaneAnchor): string {
    const end = Math.max(anchor.row, Math.min(this.#screen.cursor().row, anchor.row + maxLineRows));
    let text = this.#screen.text(anchor.row, anchor.column, anchor.right);
    for (let row = anchor.row + 1; row <= end; row += 1)
      text += this.#screen.text(row, anchor.left, anchor.right);
    return text.trimEnd();
  }

  #place(sent: Sent): Sent | undefined {
    const here = this.#here();
    const row = this.#screen.text(here.row, here.left, here.right);
    if (!generalised(row).startsWith(generalised(sent.anchor.prompt))) return undefined;
    const column = Math.min(here.column, here.left + sent.anchor.prompt.length);
    return { ...sent, placed: true, anchor: { ...here, column, prompt: row.slice(0, column - here.left) } };
  }

  #isShown(sent: Sent): boolean {
    const line = sent.typed.line.trimEnd();
    if (!sent.typed.certain || line === '') return false;
    const { left, right, prompt } = sent.anchor;
    for (let row = this.#screen.cursor().row; row >= 0; row -= 1) {
      const text = this.#screen.text(row, left, right).trimEnd();
      if (text.endsWith(line) && generalised(text.slice(0, -line.length)) === generalised(prompt))
        return true;
    }
    return false;
  }

  #tell(sent: Sent): void {
    const line = sent.typed.line.trimEnd();
    const begun = sent.text !== '' && line.startsWith(sent.text) && sent.text.length >= 0.6 * line.length;
    const typedWins = sent.typed.certain && line !== '' && (begun || this.#isShown(sent));
    const text = typedWins ? line : sent.text;
    if (text.trim() === '') return;
    const { prompt } = sent.anchor;
    this.#list.add({ atMs: sent.atMs, text, prompt, kind: 'command', confidence: 'medium' });
  }

  #forget(): void {
    this.#anchor = undefined;
    this.#typed = nothingTyped;
    this.#afterPrefix = false;
  }
}
