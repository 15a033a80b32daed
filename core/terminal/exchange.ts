import type { Terminal } from './open-terminal.ts';
import { openTerminal } from './open-terminal.ts';
import type { CommandSeen, HiddenInput, TerminalListener } from './terminal-events.ts';

/** One line of a recording of both directions of a terminal: `{t,k:"i"|"o",d|b64}` or `{t,k:"r",cols,rows}`, after a header. */
export type ExchangeEvent =
  | { readonly kind: 'header'; readonly columns: number; readonly rows: number }
  | { readonly kind: 'input' | 'output'; readonly atMs: number; readonly bytes: Uint8Array }
  | { readonly kind: 'resize'; readonly atMs: number; readonly columns: number; readonly rows: number };

export function parseExchangeLine(line: string): ExchangeEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const field = (name: string): unknown => Reflect.get(value, name);
  const [columns, rows, seconds] = [field('cols'), field('rows'), field('t')];
  const sized = typeof columns === 'number' && typeof rows === 'number';
  if (field('type') === 'header') return sized ? { kind: 'header', columns, rows } : undefined;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return undefined;
  const atMs = seconds * 1000;
  if (field('k') === 'r') return sized ? { kind: 'resize', atMs, columns, rows } : undefined;
  const kind = field('k') === 'i' ? 'input' : field('k') === 'o' ? 'output' : undefined;
  const [text, base64] = [field('d'), field('b64')];
  if (kind === undefined) return undefined;
  if (typeof text === 'string') return { kind, atMs, bytes: Buffer.from(text) };
  return typeof base64 === 'string' ? { kind, atMs, bytes: Buffer.from(base64, 'base64') } : undefined;
}

/** The commands of a recorded exchange, as they stood after the last amendment. */
export type ExchangeReading = {
  event(event: ExchangeEvent): void;
  finish(): { readonly commands: readonly CommandSeen[]; readonly hidden: readonly HiddenInput[] };
};

/** As often as a live owner ticks. */
const tickMs = 50;
/** After a pause so long, nothing more happens by itself. */
const settledMs = 12_000;

export function readExchange(options: {
  readonly maxCommands: number;
  readonly nonce?: string;
}): ExchangeReading {
  const commands = new Map<number, CommandSeen>();
  const hidden: HiddenInput[] = [];
  const listener: TerminalListener = {
    onCommand(seen) {
      if (commands.size < options.maxCommands) commands.set(seen.number, seen);
    },
    onAmend({ number, text, aborted }) {
      const seen = commands.get(number);
      if (aborted) commands.delete(number);
      else if (seen !== undefined) commands.set(number, { ...seen, text });
    },
    onHiddenInput(input) {
      if (hidden.length < options.maxCommands) hidden.push(input);
    },
  };
  let terminal: Terminal | undefined;
  let nowMs = 0;
  const open = (columns: number, rows: number): Terminal =>
    openTerminal({
      columns,
      rows,
      listener,
      ...(options.nonce === undefined ? {} : { nonce: options.nonce }),
    });
  return {
    event(event) {
      if (event.kind === 'header') {
        terminal?.close();
        terminal = open(event.columns, event.rows);
        return;
      }
      terminal ??= open(80, 24);
      for (let at = nowMs + tickMs; at < Math.min(event.atMs, nowMs + settledMs); at += tickMs)
        terminal.tick(at);
      nowMs = Math.max(nowMs, event.atMs);
      if (event.kind === 'resize') terminal.resize(event.columns, event.rows, nowMs);
      else if (event.kind === 'input') terminal.input(event.bytes, nowMs);
      else terminal.output(event.bytes, nowMs);
    },
    finish() {
      terminal?.finish(nowMs);
      terminal?.close();
      return { commands: [...commands.values()], hidden };
    },
  };
}
