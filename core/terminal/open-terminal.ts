import { createBulkGate } from './bulk-gate.ts';
import { CommandLog } from './command-log.ts';
import { createKeyReader } from './key-reader.ts';
import { pendingLine } from './pending-line.ts';
import { createScreen, type Screen } from './screen.ts';
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
  const { listener, startedAtMs = 0, nonce } = options;
  let nowMs = startedAtMs;
  let pasteMarked = false;
  let sinceKey = 0;
  let lastOutputMs = startedAtMs;
  const screen: Screen = createScreen(options, {
    bracketedPaste(on) {
      pasteMarked = on;
      if (!on) keys.leavePaste();
      log.bracketedPaste(on);
    },
    alternate: (on) => log.alternateScreen(on),
    lineFeed() {
      if (listener.onRow !== undefined) tellRow(screen, listener.onRow.bind(listener), nowMs);
      log.lineFeed();
    },
    shellSays: (code, text) => log.shellSays(code, text),
    reset() {
      pasteMarked = false;
      log.reset();
    },
  });
  const log = new CommandLog(screen, listener, startedAtMs, nonce);
  const keys = createKeyReader(() => pasteMarked && log.answered);
  const gate = createBulkGate();
  const write = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; at += maxWriteBytes)
      screen.write(bytes.subarray(at, at + maxWriteBytes));
    log.afterOutput(nowMs);
  };
  const release = (): void => {
    const kept = gate.release();
    if (kept === undefined) return;
    if (kept.skipped > 0) listener.onSkipped?.(kept.skipped, nowMs);
    write(kept.bytes);
  };
  const advance = (atMs: number): void => {
    nowMs = Math.max(nowMs, atMs);
    if (gate.waiting && nowMs - lastOutputMs >= bulkQuietMs) release();
    log.advance(nowMs);
  };
  return {
    output(bytes, atMs) {
      advance(atMs);
      lastOutputMs = nowMs;
      sinceKey += bytes.length;
      const limit = log.editing ? bulkBytesWhileEditing : bulkBytes;
      if (sinceKey <= limit || !log.idle) {
        release();
        write(bytes);
        return;
      }
      const rest = gate.take(bytes);
      if (rest === bytes.length) return;
      release();
      sinceKey = 0;
      write(bytes.subarray(rest));
    },
    input(bytes, atMs) {
      advance(atMs);
      release();
      sinceKey = 0;
      keys.read(bytes, (key) => log.key(key, nowMs));
    },
    resize(columns, rows, atMs) {
      advance(atMs);
      release();
      screen.resize(columns, rows);
    },
    tick: advance,
    finish(atMs) {
      advance(atMs);
      release();
      log.finish();
    },
    close: () => screen.close(),
    readPendingLine() {
      release();
      return pendingLine(screen, log);
    },
    findAcceptKeys(bytes) {
      release();
      return keys.acceptKeys(bytes, { endOfFileAccepts: !log.editing && !screen.alternate });
    },
    snapshot() {
      release();
      return screen.snapshot();
    },
    screenText() {
      release();
      return visibleText(screen);
    },
  };
}

function tellRow(screen: Screen, onRow: (text: string, atMs: number) => void, atMs: number): void {
  if (screen.alternate) return;
  let row = screen.cursor().row - 1;
  if (row < 0) return;
  let text = screen.text(row);
  for (let joined = 0; joined < 64 && row > 0 && screen.wrapped(row); joined += 1) {
    row -= 1;
    text = screen.text(row) + text;
  }
  text = text.trimEnd();
  if (text !== '') onRow(text, atMs);
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
