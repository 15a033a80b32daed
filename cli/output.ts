import { once } from 'node:events';
import type { Cell, Row } from '#core/contract';

/** Where a command prints; passed in, so that a test reads what a person would. */
export type Output = {
  /** Standard output, one line. */
  line(text: string): void;
  /** Standard error, one line: progress and advice that a script must not read. */
  note(text: string): void;
  /** Standard output, as it is; resolves once more may be given. */
  write(part: string | Uint8Array, signal: AbortSignal): Promise<void>;
  /** Standard output's, where it is one. */
  readonly terminal?: { readonly columns: number; readonly rows: number };
  /** True when standard output is a terminal and colours are welcome. */
  readonly colour: boolean;
};

export function processOutput(): Output {
  return {
    line: (text) => void process.stdout.write(`${text}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
    async write(part, signal) {
      if (!process.stdout.write(part)) await once(process.stdout, 'drain', { signal });
    },
    ...(process.stdout.isTTY ? { terminal: process.stdout } : {}),
    colour: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
  };
}

/**
 * Text from sessions, targets and engineers as a terminal may show it: control characters (C0, C1, DEL) and the bidirectional
 * overrides, with which hostile text would forge lines or hide itself, are written as escapes.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** Says so where what was recorded at another size will look odd. */
export function noteSmallTerminal(
  output: Output,
  recorded: { readonly columns: number; readonly rows: number },
): void {
  if (output.terminal === undefined) return;
  const { columns, rows } = output.terminal;
  if (columns < recorded.columns || rows < recorded.rows)
    output.note(`this terminal is smaller (${columns}x${rows}); lines may wrap differently`);
}

/** One value of a query as one line of text. */
export function cellText(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'object') return printable(JSON.stringify(cell, bigintsAsText));
  return printable(String(cell));
}

/** Rows as a script reads them: one JSON array; integers beyond 2^53 as text. Safe on a terminal, and the same value to a parser. */
export function jsonText(value: unknown): string {
  return escapedJson(JSON.stringify(value, bigintsAsText, 2));
}

/** The same on one line. */
export function jsonLine(value: unknown): string {
  return escapedJson(JSON.stringify(value, bigintsAsText));
}

/** JSON escapes C0 alone. What else a terminal acts on can only stand within strings, where `\u` says the same. */
function escapedJson(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Text of several lines, each of them printable. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** The same under a line that begins it: what follows stands further in, so that no text can pass for a line of its own. */
export function printableBlock(text: string): string {
  return printableLines(text.trimEnd()).replaceAll('\n', '\n    ');
}

/** Rows as a person reads them: columns side by side under their names. */
export function table(columns: readonly string[], rows: readonly Row[], colour: boolean): string[] {
  const cells = rows.map((row) => columns.map((column) => cellText(row[column] ?? null)));
  const widths = columns.map((column, index) =>
    Math.min(60, Math.max(column.length, ...cells.map((row) => (row[index] ?? '').length))),
  );
  const header = columns
    .map((column, index) => column.padEnd(widths[index] ?? 0))
    .join('  ')
    .trimEnd();
  const lines = cells.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [colour ? `\u001b[1m${header}\u001b[0m` : header, ...lines];
}

function bigintsAsText(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
}
