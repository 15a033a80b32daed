import { type CommandList, createCommandList } from './command-list.ts';
import { type AheadLine, CookedLines } from './cooked-lines.ts';
import { EditedLine } from './edited-line.ts';
import type { Key } from './key-reader.ts';
import { type Reading, readAnchored } from './line-reading.ts';
import { PaneLine } from './pane-line.ts';
import { createPromptMemory, looksLikePrompt } from './prompts.ts';
import { reconcile, sameWithoutBlanks } from './reconcile.ts';
import type { Screen } from './screen.ts';
import type { CommandConfidence, PendingLine, TerminalListener } from './terminal-events.ts';
import { nothingTyped, type TypedLine, typeKey } from './typed-line.ts';

/** An accept key or an interrupt, pressed while a shell edited the line, that the shell has not answered yet. */
type Pressed = {
  readonly kind: 'accept' | 'interrupt';
  readonly atMs: number;
  readonly typed: TypedLine;
  readonly shown: string;
};

/** The line that is being typed, as far as it is known. */
type Pending = {
  readonly state: PendingLine['state'];
  readonly reading: Reading;
  readonly typed: TypedLine;
  /** The lines of the same command that were accepted before. */
  readonly open: string;
};

const maxPressed = 256;
/** With the shell at its prompt and nothing said for so long, an accept key was eaten, by a menu or as a quoted character. */
const resyncMs = 250;
const maxAnswerMs = 2000;
/** An answer after so long is none. */
const lateMs = 5000;

/**
 * Finds the commands of one terminal. A shell that marks pastes says when a line is accepted (`CSI ?2004l`), and then its text
 * is on the screen: so it is read there and then, whatever the latency. Others have their line read at the line feed that
 * answers the accept key.
 */
export class CommandLog {
  readonly #screen: Screen;
  readonly #list: CommandList;
  readonly #prompts = createPromptMemory();
  readonly #line: EditedLine;
  readonly #cooked: CookedLines;
  readonly #pane: PaneLine;
  readonly #nonce: string | undefined;
  #editing = false;
  /** A line was accepted in a shell that marks pastes, and it has not come back yet. */
  #insideShell = false;
  #alternate = false;
  #pressed: Pressed[] = [];
  #typed: TypedLine = nothingTyped;
  #feedsWhileEditing = 0;
  #said: { readonly text: string; readonly sure: boolean } | undefined;
  #external: 'no' | 'editing' | 'left' = 'no';
  #nowMs: number;
  #keyMs = 0;
  /** Accept keys taken for eaten: a shell far away may still answer them. */
  #late: Pressed[] = [];
  /** How long the other side takes to answer a key, the longest of late. */
  #answerMs = 0;
  #outputMs = 0;

  constructor(screen: Screen, listener: TerminalListener, startedAtMs: number, nonce: string | undefined) {
    this.#screen = screen;
    this.#nowMs = startedAtMs;
    this.#nonce = nonce;
    this.#list = createCommandList(listener, startedAtMs);
    this.#line = new EditedLine(screen, this.#prompts);
    this.#cooked = new CookedLines(screen, this.#list, this.#prompts, (atMs, prompt) =>
      listener.onHiddenInput({ atMs, offsetMs: atMs - startedAtMs, prompt }),
    );
    this.#pane = new PaneLine(screen, this.#list);
  }

  get editing(): boolean {
    return this.#editing;
  }

  /** Whether nobody waits for what the output shows. */
  get idle(): boolean {
    return !this.#alternate && !this.#cooked.waiting && this.#typed.typed === 0;
  }

  /** The keys sent so far were all answered, so the mode of the screen is the mode they are read in. */
  get answered(): boolean {
    return this.#pressed.length === 0;
  }

  // What the screen says while output is written to it.

  bracketedPaste(on: boolean): void {
    if (this.#alternate) return;
    if (on) this.#beginEdit();
    else this.#lineEnd();
  }

  alternateScreen(on: boolean): void {
    if (on === this.#alternate) return;
    this.#alternate = on;
    this.#forgetLine();
    this.#cooked.interrupt();
    this.#pane.leave();
    if (!on && this.#external === 'editing') this.#external = 'left';
  }

  lineFeed(): void {
    if (this.#alternate) return;
    if (this.#editing) this.#feedsWhileEditing += 1;
    else if (this.#external === 'left') this.#printedCommand();
    else this.#cooked.lineFeed(this.#insideShell);
  }

  shellSays(code: 133 | 633, text: string): void {
    if (this.#alternate) return;
    if (text === 'B') {
      if (!this.#editing) this.#beginEdit();
      this.#line.anchorHere();
    } else if (text === 'C' || text.startsWith('C;')) this.#lineEnd();
    else if (code === 633 && text.startsWith('E;')) this.#said = explicitCommand(text, this.#nonce);
  }

  reset(): void {
    this.#alternate = false;
    this.#editing = false;
    this.#forgetLine();
  }

  // What the client sends.

  key(key: Key, atMs: number): void {
    this.#nowMs = atMs;
    this.#keyMs = atMs;
    if (this.#alternate) {
      this.#pane.key(key, atMs);
      return;
    }
    switch (key.kind) {
      case 'accept':
        this.#accept(key.byte, atMs);
        return;
      case 'interrupt':
        this.#interrupt(atMs);
        return;
      case 'end-of-file':
        return;
      case 'external-editor':
        if (this.#editing) this.#external = 'editing';
        break;
      default:
        break;
    }
    this.#ensureAnchor();
    this.#typed = typeKey(this.#typed, key);
  }

  afterOutput(atMs: number): void {
    // The first output after a key that was pressed in silence answers it.
    if (this.#outputMs < this.#keyMs && this.#editing)
      this.#answerMs = Math.min(maxAnswerMs, Math.max(atMs - this.#keyMs, this.#answerMs * 0.9));
    this.#outputMs = atMs;
    if (this.#alternate) this.#pane.afterOutput();
  }

  advance(nowMs: number): void {
    if (nowMs < this.#nowMs) return;
    const quietMs = nowMs - Math.max(this.#keyMs, this.#outputMs);
    if (this.#editing && this.#outputMs > this.#keyMs && quietMs >= Math.max(resyncMs, 2 * this.#answerMs))
      this.#resync();
    this.#nowMs = nowMs;
    this.#cooked.advance(nowMs);
    this.#list.advance(nowMs);
  }

  finish(): void {
    this.#pane.leave();
    this.#cooked.settle();
    this.#list.finish();
  }

  /** What the screen shows of the line that is being typed. */
  pending(): Pending {
    if (this.#alternate) {
      const line = this.#pane.pending();
      const reading = { text: line?.text ?? '', prompt: line?.prompt ?? '', found: 'anchor' } as const;
      return { state: 'alt', reading, typed: line?.typed ?? nothingTyped, open: '' };
    }
    const { anchor } = this.#cooked;
    const typed = this.#typed;
    const cursor = this.#screen.cursor();
    let end = cursor.row;
    while (end < this.#screen.lastRow && this.#screen.wrapped(end + 1)) end += 1;
    if (!this.#editing && anchor === undefined) {
      const state = typed.typed === 0 ? 'none' : 'cooked';
      return { state, reading: { text: '', prompt: '', found: 'gone' }, typed, open: '' };
    }
    const reading =
      this.#editing || anchor === undefined
        ? this.#line.readPending(end, typed)
        : readAnchored(this.#screen, anchor, end, this.#prompts, typed);
    const state = this.#editing ? 'editing' : 'cooked';
    return { state, reading, typed, open: this.#list.openText(reading.prompt) };
  }

  #resync(): void {
    if (this.#pressed.length > 0) {
      this.#typed = { ...this.#typed, certain: false };
      this.#late = this.#pressed;
    }
    this.#pressed = [];
    this.#cooked.settle();
  }

  #beginEdit(): void {
    this.#external = this.#external === 'left' ? 'no' : this.#external;
    this.#cooked.beginEdit();
    const carried = this.#typed;
    this.#forgetLine();
    // What was typed ahead and not accepted may be the beginning of the line that is edited now, or was for the program.
    this.#typed = { ...carried, certain: carried.typed === 0 };
    this.#editing = true;
    this.#feedsWhileEditing = 0;
    this.#line.begin();
  }

  #ensureAnchor(): void {
    if (!this.#editing) this.#cooked.ensureAnchor(this.#typed);
    else if (this.#pressed.length === 0)
      this.#line.ensureAnchor(this.#typed, this.#typed.typed === 0 && !this.#cooked.hasCredit);
  }

  #accept(byte: number, atMs: number): void {
    if (!this.#editing) {
      // Ctrl-O accepts nothing outside of a line editor.
      if (byte === 0x0f) return;
      this.#cooked.ensureAnchor(this.#typed);
      this.#cooked.accept(this.#typed, atMs);
      this.#typed = nothingTyped;
      return;
    }
    this.#ensureAnchor();
    this.#press({
      kind: 'accept',
      atMs,
      typed: this.#typed,
      shown: this.#pressed.length > 0 ? '' : this.#line.shownNow(),
    });
  }

  #interrupt(atMs: number): void {
    if (this.#editing) this.#press({ kind: 'interrupt', atMs, typed: this.#typed, shown: '' });
    else {
      const prompt = this.#cooked.anchor?.prompt;
      if (prompt !== undefined && !this.#insideShell) this.#list.interrupt(prompt);
      this.#cooked.interrupt();
      this.#typed = nothingTyped;
    }
  }

  #press(pressed: Pressed): void {
    this.#late = [];
    this.#pressed.push(pressed);
    if (this.#pressed.length > maxPressed) this.#pressed.shift();
    this.#typed = nothingTyped;
  }

  #lineEnd(): void {
    if (!this.#editing) return;
    this.#editing = false;
    const said = this.#said;
    this.#said = undefined;
    if (this.#pressed.length === 0 && this.#nowMs - (this.#late[0]?.atMs ?? 0) < lateMs)
      this.#pressed = this.#late;
    this.#late = [];
    const [next] = this.#pressed;
    if (next === undefined && !this.#cooked.hasCredit) {
      this.#forgetLine();
      return;
    }
    const reading = this.#line.read(this.#allTyped(), next?.typed ?? this.#typed, next?.shown ?? '');
    if (next?.kind === 'interrupt' || (next !== undefined && /\^C\s*$/.test(reading.text))) {
      this.#pressed.shift();
      this.#list.interrupt(reading.prompt);
      this.#forgetLine();
      return;
    }
    const credit = next === undefined ? this.#cooked.takeCredit(reading.text) : undefined;
    if (next !== undefined) this.#cooked.settle();
    this.#emit(reading, next, credit, said);
    this.#insideShell = true;
    const typed = this.#typed;
    this.#forgetLine();
    this.#typed = typed;
  }

  #emit(
    reading: Reading,
    next: Pressed | undefined,
    credit: AheadLine | undefined,
    said: { readonly text: string; readonly sure: boolean } | undefined,
  ): void {
    const typed = next === undefined ? (credit?.typed ?? nothingTyped) : this.#takePressed(reading.text);
    const best = reconcile(reading.text, typed, this.#feedsWhileEditing > 0);
    let { text } = best;
    let confidence = confidenceOf(reading, best, next !== undefined);
    if (said !== undefined && (said.sure || sameWithoutBlanks(said.text, text))) {
      text = said.text;
      confidence = said.sure ? 'exact' : confidence;
    }
    const onlyEnter = next !== undefined && typed.certain && typed.line.trim() === '';
    if (text.trim() === '' || (onlyEnter && reading.found === 'guess')) return;
    if (reading.found === 'anchor' || reading.found === 'redrawn' || looksTyped(reading))
      this.#prompts.remember(reading.prompt);
    this.#prompts.rememberRight(this.#line.anchor?.right ?? '');
    const atMs = next?.atMs ?? credit?.atMs ?? this.#nowMs;
    this.#list.add({
      atMs,
      text,
      prompt: reading.prompt,
      kind: this.#cooked.kindOf(reading.prompt),
      confidence,
    });
  }

  /** Takes the accept keys that belong to the line: several where the editor took the first ones as line feeds. */
  #takePressed(text: string): TypedLine {
    let joined: TypedLine = nothingTyped;
    for (const [at, { kind, typed }] of this.#pressed.entries()) {
      if (kind === 'interrupt') break;
      joined = at === 0 ? typed : joinTyped(joined, typed);
      if (!joined.certain || !sameWithoutBlanks(joined.line, text)) continue;
      this.#pressed.splice(0, at + 1);
      return joined;
    }
    const lines = Math.min(text.split('\n').length, this.#pressed.length);
    const [first] = this.#pressed.splice(0, lines);
    return lines > 1 ? { ...nothingTyped, certain: false } : (first?.typed ?? nothingTyped);
  }

  #allTyped(): TypedLine {
    let joined = this.#pressed[0]?.typed ?? this.#typed;
    for (const { typed } of this.#pressed.slice(1, 20)) joined = joinTyped(joined, typed);
    return this.#pressed.length > 1 ? joined : (this.#pressed[0]?.typed ?? this.#typed);
  }

  /** A shell that had its line edited elsewhere prints it before it runs it. */
  #printedCommand(): void {
    const { row, column } = this.#screen.cursor();
    if (column !== 0 && this.#screen.text(row).trim() !== '') return;
    const text = this.#screen.text(row - 1).trim();
    if (text === '') return;
    this.#external = 'no';
    this.#list.add({ atMs: this.#keyMs, text, prompt: '', kind: 'command', confidence: 'medium' });
  }

  #forgetLine(): void {
    this.#line.forget();
    this.#typed = nothingTyped;
  }
}

function joinTyped(one: TypedLine, other: TypedLine): TypedLine {
  return {
    line: `${one.line}\n${other.line}`,
    certain: one.certain && other.certain,
    typed: one.typed + other.typed,
  };
}

function confidenceOf(
  reading: Reading,
  best: { readonly agreed: boolean; readonly changed: boolean },
  live: boolean,
): CommandConfidence {
  if (reading.found === 'guess' || (reading.whole !== undefined && !best.agreed)) return 'low';
  if (best.agreed && live) return 'high';
  if (best.changed || !live || reading.found === 'gone' || reading.found === 'known') return 'medium';
  return looksLikePrompt(reading.prompt) || reading.found === 'anchor' ? 'high' : 'medium';
}

function looksTyped(reading: Reading): boolean {
  return (reading.found === 'typed' || reading.found === 'known') && looksLikePrompt(reading.prompt);
}

/** `E;<command>[;<nonce>]` with `\\` and `\xHH` escapes (VS Code shell integration). */
function explicitCommand(
  text: string,
  nonce: string | undefined,
): { readonly text: string; readonly sure: boolean } {
  const [, command = '', given] = text.split(';');
  const plain = command.replace(/\\(?:x([0-9a-fA-F]{2})|\\)/g, (_, hex?: string) =>
    hex === undefined ? '\\' : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return { text: plain, sure: nonce !== undefined && nonce !== '' && given === nonce };
}
