import type { CommandList } from './command-list.ts';
import { type Anchor, anchorAt, joinRows } from './line-reading.ts';
import type { PromptMemory } from './prompts.ts';
import { looksLikePrompt } from './prompts.ts';
import { sameButReplaced, sameWithoutBlanks } from './reconcile.ts';
import { interpreterOf, isShell } from './running-program.ts';
import type { Screen } from './screen.ts';
import type { CommandKind } from './terminal-events.ts';
import type { TypedLine } from './typed-line.ts';

/** A line accepted while no shell edited one: for the program that runs, or ahead for the shell. */
export type AheadLine = {
  readonly atMs: number;
  /** Undefined once it is known that the keys were not shown. */
  readonly typed: TypedLine | undefined;
  readonly anchor: Anchor | undefined;
  readonly state: 'sent' | 'shown' | 'hidden';
  readonly text: string;
  readonly prompt: string;
  readonly shownAtMs: number;
};

const maxAhead = 64;
/** A line behind a prompt is told as input unless a shell takes it up as typed ahead. */
const holdMs = 1000;
/** One that was shown before any prompt: a shell that edits lines may be starting. */
const holdUnpromptedMs = 5000;
/** An accept key that no line feed answered for so long was not one. */
const forgetMs = 5000;

/** The lines of programs that leave editing to the kernel, or edit without telling: dash, ash, interpreters, password prompts. */
export class CookedLines {
  readonly #screen: Screen;
  readonly #list: CommandList;
  readonly #prompts: PromptMemory;
  readonly #onHidden: (atMs: number, prompt: string) => void;
  #anchor: Anchor | undefined;
  #ahead: AheadLine[] = [];
  #nowMs = 0;
  #insideShell = false;

  constructor(
    screen: Screen,
    list: CommandList,
    prompts: PromptMemory,
    onHidden: (atMs: number, prompt: string) => void,
  ) {
    this.#screen = screen;
    this.#list = list;
    this.#prompts = prompts;
    this.#onHidden = onHidden;
  }

  get anchor(): Anchor | undefined {
    return this.#anchor;
  }

  get waiting(): boolean {
    return this.#anchor !== undefined || this.#ahead.some(({ state }) => state === 'sent');
  }

  /** Whether a shell may yet run what was typed before it was ready. */
  get hasCredit(): boolean {
    return this.#ahead.length > 0;
  }

  ensureAnchor(typed: TypedLine): void {
    if (this.#anchor !== undefined || this.#ahead.some(({ state }) => state === 'sent')) return;
    const { row, column } = this.#screen.cursor();
    const left = this.#screen.text(row, 0, column);
    if (typed.typed > 0 && left.trim() === '') return;
    const known = this.#prompts.leading(left);
    const cut = known !== undefined && known.length < left.length && typed.typed > 0;
    this.#anchor = anchorAt(this.#screen, cut ? this.#screen.columnAfter(row, known.length) : column);
  }

  accept(typed: TypedLine, atMs: number): void {
    this.#ahead.push({
      atMs,
      typed,
      anchor: this.#anchor,
      state: 'sent',
      text: '',
      prompt: '',
      shownAtMs: atMs,
    });
    this.#anchor = undefined;
    if (this.#ahead.length > maxAhead) this.#flushFirst();
  }

  interrupt(): void {
    this.#anchor?.mark.drop();
    this.#anchor = undefined;
    this.settle();
  }

  beginEdit(): void {
    this.#anchor?.mark.drop();
    this.#anchor = undefined;
  }

  /** The lines shown were for the program that ran: no shell took them up. */
  settle(): void {
    while (this.#ahead.length > 0) this.#flushFirst();
  }

  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    const [first] = this.#ahead;
    if (first === undefined) return;
    const shownMs = first.state === 'shown' ? nowMs - first.shownAtMs : 0;
    if (looksLikePrompt(first.prompt) ? shownMs >= holdMs : !this.#insideShell && shownMs >= holdUnpromptedMs)
      this.#flushFirst();
    for (const [at, line] of this.#ahead.entries()) {
      if (line.state !== 'sent' || nowMs - line.atMs < forgetMs) continue;
      line.anchor?.mark.drop();
      this.#ahead[at] = { ...line, state: 'hidden', typed: undefined, anchor: undefined };
    }
  }

  /** The line that the shell shows again and runs. Those before it were input. */
  takeCredit(text: string): AheadLine | undefined {
    const found = this.#ahead.findIndex(
      ({ typed, text: shown, state }) =>
        (typed !== undefined && sameWithoutBlanks(typed.line, text)) ||
        (state === 'shown' && sameWithoutBlanks(shown, text)),
    );
    for (let before = found; before > 0; before -= 1) this.#flushFirst();
    if (found < 0 && text.trim() === '') return this.#takeBlank();
    return this.#ahead.shift();
  }

  /** `LF` came while no shell edits a line and no other screen is shown. */
  lineFeed(insideShell: boolean): void {
    this.#insideShell = insideShell;
    const cursor = this.#screen.cursor();
    if (this.#screen.text(cursor.row).trim() !== '') return;
    for (const line of this.#ahead.filter(({ state }) => state === 'sent')) {
      const shown = this.#finish(line, cursor.row - 1);
      const at = this.#ahead.indexOf(line);
      if (shown === 'partly') continue;
      if (shown === undefined) {
        // Another program's output ended: the echo is still to come.
        if (line.anchor === undefined && line.typed?.certain === true) continue;
        this.#ahead[at] = { ...line, state: 'hidden', typed: undefined };
        line.anchor?.mark.drop();
        return;
      }
      line.anchor?.mark.drop();
      this.#ahead[at] = shown;
      this.#tellIfCertain(at, insideShell);
      return;
    }
  }

  kindOf(prompt: string): CommandKind {
    return kindOf(prompt, this.#list.running, true);
  }

  #takeBlank(): AheadLine | undefined {
    const blank = this.#ahead.findIndex(({ typed }) => typed?.line.trim() === '');
    return blank < 0 ? undefined : this.#ahead.splice(blank, 1)[0];
  }

  #tellIfCertain(at: number, insideShell: boolean): void {
    const line = this.#ahead[at];
    if (line === undefined || line.state !== 'shown') return;
    if (line.prompt.trim() === '') return;
    // Behind a prompt of a shell that leaves editing to the kernel: what came before was read by it too.
    if (!insideShell) for (let before = 0; before < at; before += 1) this.#flushFirst();
    else if (at > 0) return;
    if (insideShell && !looksLikePrompt(line.prompt) && !/[?:\]]\s*$/.test(line.prompt)) return;
    this.#ahead.splice(this.#ahead.indexOf(line), 1);
    this.#tell(line, insideShell);
  }

  #flushFirst(): void {
    const line = this.#ahead.shift();
    line?.anchor?.mark.drop();
    if (line?.state === 'shown') this.#tell(line, this.#insideShell);
  }

  #tell(line: AheadLine, insideShell: boolean): void {
    if (line.text.trim() === '') return;
    const agreed = line.typed?.certain === true && sameWithoutBlanks(line.typed.line, line.text);
    const confidence = line.prompt.trim() === '' ? 'low' : agreed ? 'high' : 'medium';
    this.#prompts.remember(line.prompt);
    const kind = kindOf(line.prompt, this.#list.running, insideShell);
    this.#list.add({ atMs: line.atMs, text: line.text, prompt: line.prompt, kind, confidence });
  }

  /** What the row above shows of the line; undefined where it is not the line's row, `partly` where the echo goes on. */
  #finish(line: AheadLine, row: number): AheadLine | 'partly' | undefined {
    const typed = line.typed;
    if (typed === undefined || row < 0) return undefined;
    const anchored = line.anchor === undefined ? undefined : this.#readAnchored(line.anchor, row);
    const asTyped =
      anchored !== undefined && (anchored.text === '' || sameWithoutBlanks(anchored.text, typed.line));
    // The prompt may have come after the first key.
    const read = asTyped ? anchored : (this.#findTyped(typed, row) ?? anchored);
    if (read === undefined) return undefined;
    const shown = { ...line, ...read, state: 'shown', shownAtMs: this.#nowMs, anchor: undefined } as const;
    if (/^[*•]*$/.test(read.text.trim())) {
      if (typed.typed === 0 || typed.line.trim() === '')
        return shown.text === '' ? { ...shown, text: '' } : undefined;
      // What was shown before a program asked without showing may have been its secret, typed too early.
      this.#ahead = this.#ahead.filter(({ state, prompt }) => state !== 'shown' || prompt.trim() !== '');
      this.#onHidden(line.atMs, withoutSecret(read.prompt, typed.line));
      return { ...line, state: 'hidden', typed: undefined, text: '', anchor: undefined };
    }
    if (typed.certain && line.anchor !== undefined && isBeginning(read.text, typed.line)) return 'partly';
    if (typed.certain && !sameWithoutBlanks(read.text, typed.line) && !sameButReplaced(read.text, typed.line))
      return undefined;
    if (!typed.certain && read.prompt.trim() === '') return undefined;
    return typed.certain ? { ...shown, text: typed.line.trimEnd() } : shown;
  }

  #readAnchored(anchor: Anchor, end: number): { text: string; prompt: string } | undefined {
    const row = anchor.mark.row();
    const { column } = anchor.mark;
    if (row === undefined || row > end || !this.#screen.text(row).startsWith(anchor.prompt)) return undefined;
    const text = joinRows(this.#screen, { row, column }, end).trimEnd();
    return { text, prompt: anchor.prompt };
  }

  /** A line that was sent before its prompt was there: the row must end with it. */
  #findTyped(typed: TypedLine, end: number): { text: string; prompt: string } | undefined {
    const line = typed.line.trimEnd();
    if (!typed.certain || line.trim() === '') return undefined;
    let row = end;
    while (row > 0 && this.#screen.wrapped(row)) row -= 1;
    const shown = joinRows(this.#screen, { row, column: 0 }, end).trimEnd();
    if (!shown.endsWith(line)) return undefined;
    return { text: line, prompt: shown.slice(0, shown.length - line.length) };
  }
}

/** An editor that wraps lines itself sends line feeds in the middle of one. */
function isBeginning(shown: string, typed: string): boolean {
  const [some, all] = [shown.replace(/\s/g, ''), typed.replace(/\s/g, '')];
  return some.length < all.length && all.startsWith(some);
}

/** A prompt with keys in it that were echoed before the program turned echo off is not repeated. */
function withoutSecret(prompt: string, secret: string): string {
  const typed = secret.trim();
  if (typed === '') return prompt;
  for (let length = Math.min(typed.length, prompt.length); length >= 4; length -= 1)
    if (prompt.includes(typed.slice(0, length))) return '';
  return prompt;
}

function kindOf(prompt: string, running: string, insideShell: boolean): CommandKind {
  const interpreter = interpreterOf(running, prompt);
  if (interpreter) return 'repl';
  if (!insideShell || isShell(running) || /[$#%❯➜»λ] ?$/.test(prompt)) return 'command';
  return looksLikePrompt(prompt) ? 'repl' : 'input';
}
