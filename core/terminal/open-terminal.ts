import { createBulkGate } from './bulk-gate.ts';
import { CommandLog } from './command-log.ts';
import { createKeyReader, type KeyReader } from './key-reader.ts';
import { pendingLine } from './pending-line.ts';
import { createScreen, type Screen, type ScreenHooks } from './screen.ts';
import type { PendingLine, TerminalListener } from './terminal-events.ts';

export type TerminalOptions = {
  /** 0 means not known (RFC 4254 §6.2). */
  readonly columns: number;
  readonly rows: number;
  readonly listener: TerminalListener;
  /** What all times given are counted from. */
  readonly startedAtMs?: number;
  /** What the shell's integration proves with that it is the one who tells (`OSC 633 ; E`). */
  readonly nonce?: string;
};

/**
 * The other end of one pty channel: an emulated screen, and the commands that were accepted on it. Everything is given in the
 * order it passed the relay, with its time; nothing is done between calls, so the owner calls `tick` while nothing comes,
 * some ten times a second. Hostile output costs bounded memory, and no call throws.
 */
export type Terminal = {
  output(bytes: Uint8Array, atMs: number): void;
  input(bytes: Uint8Array, atMs: number): void;
  resize(columns: number, rows: number, atMs: number): void;
  tick(atMs: number): void;
  /** Tells what was held back. Nothing may be given after it but `close`. */
  finish(atMs: number): void;
  close(): void;
  readPendingLine(): PendingLine;
  /**
   * Where in the client's bytes, which were not given to `input` yet, a line would be accepted: CR, LF, Ctrl-O, and Ctrl-D
   * where the kernel edits the line. Keys that a shell's own configuration made accept lines are not among them.
   */
  findAcceptKeys(bytes: Uint8Array): readonly number[];
  /** An ANSI string that draws the screen as it is on an empty terminal of the same size. */
  snapshot(): string;
  screenText(): string;
};

/** So much output without a key between is bulk, and so much more where somebody may be at a prompt. */
const bulkBytes = 64 * 1024;
const bulkBytesWhileEditing = 1024 * 1024;
/** Bulk that pauses for so long has ended, or is worth a look. */
const bulkQuietMs = 20;
/** What is parsed at once, so that no chunk makes the emulator allocate without bound. */
const maxWriteBytes = 128 * 1024;

export function openTerminal(options: TerminalOptions): Terminal {
  return new EmulatedTerminal(options);
}

class EmulatedTerminal implements Terminal {
  readonly #listener: TerminalListener;
  readonly #screen: Screen;
  readonly #log: CommandLog;
  readonly #keys: KeyReader;
  readonly #gate = createBulkGate();
  #nowMs: number;
  #lastOutputMs: number;
  #pasteMarked = false;
  #bytesSinceKey = 0;

  constructor({ columns, rows, listener, startedAtMs = 0, nonce }: TerminalOptions) {
    this.#listener = listener;
    this.#nowMs = startedAtMs;
    this.#lastOutputMs = startedAtMs;
    this.#screen = createScreen({ columns, rows }, this.#hooks());
    this.#log = new CommandLog(this.#screen, listener, startedAtMs, nonce);
    this.#keys = createKeyReader(() => this.#pasteMarked && this.#log.answered);
  }

  output(bytes: Uint8Array, atMs: number): void {
    this.tick(atMs);
    this.#lastOutputMs = this.#nowMs;
    this.#bytesSinceKey += bytes.length;
    const limit = this.#log.editing ? bulkBytesWhileEditing : bulkBytes;
    const bulk = this.#bytesSinceKey > limit && this.#log.idle;
    const rest = bulk ? this.#gate.take(bytes) : 0;
    if (bulk && rest === bytes.length) return;
    this.#release();
    if (bulk) this.#bytesSinceKey = 0;
    this.#write(bytes.subarray(rest));
  }

  input(bytes: Uint8Array, atMs: number): void {
    this.tick(atMs);
    this.#release();
    this.#bytesSinceKey = 0;
    this.#keys.read(bytes, (key) => this.#log.key(key, this.#nowMs));
  }

  resize(columns: number, rows: number, atMs: number): void {
    this.tick(atMs);
    this.#release();
    this.#screen.resize(columns, rows);
  }

  tick(atMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, atMs);
    if (this.#gate.waiting && this.#nowMs - this.#lastOutputMs >= bulkQuietMs) this.#release();
    this.#log.advance(this.#nowMs);
  }

  finish(atMs: number): void {
    this.tick(atMs);
    this.#release();
    this.#log.finish();
  }

  close(): void {
    this.#screen.close();
  }

  readPendingLine(): PendingLine {
    this.#release();
    return pendingLine(this.#screen, this.#log);
  }

  findAcceptKeys(bytes: Uint8Array): readonly number[] {
    this.#release();
    const endOfFileAccepts = !this.#log.editing && !this.#screen.alternate;
    return this.#keys.acceptKeys(bytes, { endOfFileAccepts });
  }

  snapshot(): string {
    this.#release();
    return this.#screen.snapshot();
  }

  screenText(): string {
    this.#release();
    return visibleText(this.#screen);
  }

  #hooks(): ScreenHooks {
    return {
      bracketedPaste: (on) => {
        this.#pasteMarked = on;
        if (!on) this.#keys.leavePaste();
        this.#log.bracketedPaste(on);
      },
      alternate: (on) => this.#log.alternateScreen(on),
      lineFeed: () => {
        if (this.#listener.onRow !== undefined)
          tellRow(this.#screen, (text) => this.#listener.onRow?.(text, this.#nowMs));
        this.#log.lineFeed();
      },
      shellSays: (code, text) => this.#log.shellSays(code, text),
      reset: () => {
        this.#pasteMarked = false;
        this.#log.reset();
      },
    };
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += maxWriteBytes)
      this.#screen.write(bytes.subarray(at, at + maxWriteBytes));
    this.#log.afterOutput(this.#nowMs);
  }

  #release(): void {
    const kept = this.#gate.release();
    if (kept === undefined) return;
    if (kept.skipped > 0) this.#listener.onSkipped?.(kept.skipped, this.#nowMs);
    this.#write(kept.bytes);
  }
}

function tellRow(screen: Screen, onRow: (text: string) => void): void {
  if (screen.alternate) return;
  let row = screen.cursor().row - 1;
  if (row < 0) return;
  let text = screen.text(row);
  for (let joined = 0; joined < 64 && row > 0 && screen.wrapped(row); joined += 1) {
    row -= 1;
    text = screen.text(row) + text;
  }
  text = text.trimEnd();
  if (text !== '') onRow(text);
}

function visibleText(screen: Screen): string {
  const lines: string[] = [];
  for (let row = Math.max(0, screen.lastRow - screen.rows + 1); row <= screen.lastRow; row += 1) {
    const text = screen.text(row);
    const previous = lines.pop();
    if (previous !== undefined && screen.wrapped(row)) lines.push(previous + text);
    else lines.push(...(previous === undefined ? [] : [previous]), text);
  }
  return lines
    .map((line) => line.trimEnd())
    .join('\n')
    .trimEnd();
}
