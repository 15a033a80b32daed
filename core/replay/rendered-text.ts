import type { IBuffer, IBufferLine } from '@xterm/headless';
import { type CastEvent, createSequenceTracker, type OpenedRecording } from '#core/recording';
import { createTerminalState } from './terminal-state.ts';

/** What a screen said. `seconds` is when it last said so. */
export type RenderedText =
  /** A line that left the screen: scrolled off, erased with all of it, or there at the end. Rows that wrap are one line. */
  | { readonly kind: 'line'; readonly seconds: number; readonly text: string }
  /** A full-screen program, every ten seconds in which it changed, and when it was left. */
  | { readonly kind: 'screen'; readonly seconds: number; readonly lines: readonly string[] };

export type RenderLimits = {
  /** Lines given out, those of screens among them. */
  readonly maxLines: number;
  readonly maxLineLength: number;
};

const defaultRenderLimits: RenderLimits = { maxLines: 1_000_000, maxLineLength: 4096 };

/** Recorded time, and output, after which a full-screen program is looked at again. */
const screenEverySeconds = 10;
const screenEveryOutput = 256 * 1024;
/** Output that is drawn before lines are taken; each character is a line at most. */
const sliceLength = 2048;
const scrollback = 3 * sliceLength;

/**
 * The text of a recording in the order of reading, without escape sequences: what was redrawn, edited or overwritten is as it stood
 * last. Returns `cut` where there was more than the limits.
 */
export async function* renderedText(
  { snapshot, events }: OpenedRecording,
  limits: RenderLimits = defaultRenderLimits,
): AsyncGenerator<RenderedText, 'complete' | 'cut', undefined> {
  const reader = new ScreenReader(snapshot.columns, snapshot.rows, limits.maxLineLength);
  let given = 0;
  reader.show(snapshot.baseMs / 1000, snapshot.screen);
  for await (const event of events) {
    reader.take(event);
    for (const text of reader.read()) {
      given += text.kind === 'line' ? 1 : text.lines.length;
      if (given > limits.maxLines) {
        reader.dispose();
        return 'cut';
      }
      yield text;
    }
  }
  reader.end();
  yield* reader.read();
  reader.dispose();
  return 'complete';
}

class ScreenReader {
  readonly #state: ReturnType<typeof createTerminalState>;
  readonly #tracker = createSequenceTracker();
  readonly #maxLineLength: number;
  #texts: RenderedText[] = [];
  /** The line whose next row may still come. */
  #line: { seconds: number; text: string } | undefined;
  /** Rows above the screen that were taken. */
  #taken = 0;
  #secondsBefore = 0;
  #seconds = 0;
  /** Rows from this one on were written by the event that is being drawn. */
  #writtenNow = 0;
  #lastScreen = '';
  #screenSeconds = 0;
  #screenOutput = 0;

  constructor(columns: number, rows: number, maxLineLength: number) {
    this.#state = createTerminalState(columns, rows, { scrollback });
    this.#maxLineLength = maxLineLength;
    const { parser } = this.#state.terminal;
    // Each looks on before xterm.js acts, which it does where a handler says false.
    parser.registerCsiHandler({ final: 'J' }, (params) => {
      if (params[0] === 3) this.#takeScrolled();
      if (params[0] === 2 || (params[0] === 0 && this.#isAtHome())) this.#takeErased();
      return false;
    });
    parser.registerEscHandler({ final: 'c' }, () => {
      this.#takeErased();
      return false;
    });
    parser.registerCsiHandler({ prefix: '?', final: 'l' }, (params) => {
      if (params.some((mode) => mode === 47 || mode === 1047 || mode === 1049)) this.#takeScreen();
      return false;
    });
  }

  take(event: CastEvent): void {
    if (event.code === 'o') this.show(event.time, event.data);
    if (event.code !== 'r') return;
    this.#takeScrolled();
    // A taller screen would have them again.
    this.#forgetScrolled(1);
    const [columns = 0, rows = 0] = event.data.split('x').map(Number);
    this.#state.resize(columns, rows);
    this.#taken = Math.min(this.#taken, this.#normal.baseY);
  }

  show(seconds: number, output: string): void {
    this.#secondsBefore = this.#seconds;
    this.#seconds = seconds;
    this.#writtenNow = this.#normal.baseY + this.#normal.cursorY;
    if (this.#isAlternate && this.#isScreenDue(seconds)) this.#takeScreen();
    let at = 0;
    while (at < output.length) {
      const slice = output.slice(
        at,
        at + sliceLength + (isHighSurrogate(output, at + sliceLength - 1) ? 1 : 0),
      );
      at += slice.length;
      this.#state.write(Buffer.from(slice, 'utf8'));
      this.#tracker.write(slice);
      this.#takeScrolled();
      this.#forgetScrolled(sliceLength);
    }
    this.#screenOutput += output.length;
  }

  end(): void {
    this.#secondsBefore = this.#seconds;
    this.#takeScreen();
    this.#takeScrolled();
    this.#takeRows(this.#normal.baseY, this.#lastRow());
    this.#finishLine();
  }

  read(): readonly RenderedText[] {
    const texts = this.#texts;
    this.#texts = [];
    return texts;
  }

  dispose(): void {
    this.#state.dispose();
  }

  get #normal(): IBuffer {
    return this.#state.terminal.buffer.normal;
  }

  get #isAlternate(): boolean {
    return this.#state.terminal.buffer.active.type === 'alternate';
  }

  #isAtHome(): boolean {
    const { cursorX, cursorY } = this.#state.terminal.buffer.active;
    return cursorX === 0 && cursorY === 0;
  }

  #isScreenDue(seconds: number): boolean {
    return seconds - this.#screenSeconds >= screenEverySeconds || this.#screenOutput >= screenEveryOutput;
  }

  #takeScrolled(): void {
    const { baseY } = this.#normal;
    if (baseY > this.#taken) this.#takeRows(this.#taken, baseY);
    this.#taken = baseY;
  }

  /** Rows above the screen are of no use once they were taken, and would be dropped unseen when there are too many. */
  #forgetScrolled(atLeast: number): void {
    if (this.#taken < atLeast || this.#isAlternate || this.#tracker.unfinished() !== '') return;
    this.#writtenNow -= this.#taken;
    this.#state.write(eraseScrolled);
    this.#taken = 0;
  }

  /** All of the screen is about to be erased. */
  #takeErased(): void {
    if (this.#isAlternate) {
      if (this.#isScreenDue(this.#seconds)) this.#takeScreen();
      return;
    }
    this.#takeScrolled();
    this.#takeRows(this.#normal.baseY, this.#lastRow());
    this.#finishLine();
  }

  #takeRows(from: number, to: number): void {
    for (let y = from; y < to; y += 1) {
      const row = this.#normal.getLine(y);
      if (row === undefined) continue;
      const text = this.#textOf(row);
      const room = this.#maxLineLength - (this.#line?.text.length ?? 0);
      if (row.isWrapped && this.#line !== undefined) this.#line.text += text.slice(0, Math.max(0, room));
      else {
        this.#finishLine();
        this.#line = { seconds: y < this.#writtenNow ? this.#secondsBefore : this.#seconds, text };
      }
    }
  }

  #finishLine(): void {
    if (this.#line === undefined) return;
    this.#texts.push({ kind: 'line', seconds: this.#line.seconds, text: this.#line.text.trimEnd() });
    this.#line = undefined;
  }

  #takeScreen(): void {
    if (!this.#isAlternate) return;
    this.#screenSeconds = this.#seconds;
    this.#screenOutput = 0;
    const { terminal } = this.#state;
    const lines = Array.from({ length: terminal.rows }, (_, y) => {
      const row = terminal.buffer.alternate.getLine(y);
      return row === undefined ? '' : this.#textOf(row).trimEnd();
    });
    while (lines.at(-1) === '') lines.pop();
    const whole = lines.join('\n');
    if (whole === this.#lastScreen || whole.trim() === '') return;
    this.#lastScreen = whole;
    this.#finishLine();
    this.#texts.push({ kind: 'screen', seconds: this.#secondsBefore, lines });
  }

  /** Behind the last row with text, and behind the cursor's where something is there. */
  #lastRow(): number {
    const { baseY, length } = this.#normal;
    let last = length;
    while (last > baseY && this.#normal.getLine(last - 1)?.translateToString(true) === '') last -= 1;
    return last;
  }

  #textOf(row: IBufferLine): string {
    return row.translateToString(false).slice(0, this.#maxLineLength);
  }
}

function isHighSurrogate(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0xd800 && code <= 0xdbff;
}

/** ED 3, xterm ctlseqs. */
const eraseScrolled = Buffer.from('\u001b[3J');
