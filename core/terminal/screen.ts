import headless from '@xterm/headless';
import { SerializeAddon } from './addons.ts';
import { boundedWidths } from './character-width.ts';
import { guardSequences } from './hostile-sequences.ts';

/** A row counts from the oldest one kept, so it moves when rows are dropped; a mark stays with its row. */
export type Position = { readonly row: number; readonly column: number };

export type Mark = {
  readonly column: number;
  /** Undefined once the row was dropped. */
  row(): number | undefined;
  drop(): void;
};

/** Called in order while output is written, with the cursor where it then is. */
export type ScreenHooks = {
  bracketedPaste(on: boolean): void;
  alternate(on: boolean): void;
  lineFeed(): void;
  /** OSC 133 or 633 (FinalTerm, VS Code): what the shell's integration says. */
  shellSays(code: 133 | 633, text: string): void;
  reset(): void;
};

export type Screen = {
  readonly columns: number;
  readonly rows: number;
  readonly alternate: boolean;
  write(bytes: Uint8Array | string): void;
  resize(columns: number, rows: number): void;
  cursor(): Position;
  /** At the cursor, or at the given column of its row. */
  mark(column?: number): Mark;
  /** The cells of a row as text, blanks included, up to but without `end`. */
  text(row: number, start?: number, end?: number): string;
  /** As `text`, without cells after `start` that are drawn faint or grey: suggestions not accepted. */
  textWithoutFaint(row: number, start: number): string;
  /** Whether the row is the rest of the one above. */
  wrapped(row: number): boolean;
  /** Whether something was written into the last cell of the row. */
  full(row: number): boolean;
  /** The column after the first `length` characters of a row's text. */
  columnAfter(row: number, length: number): number;
  readonly lastRow: number;
  snapshot(): string;
  close(): void;
};

/** Larger terminals are emulated as this large, so that a size costs no more than 10 MB. */
const maxColumns = 512;
const maxRows = 256;
const scrollback = 400;

export function createScreen(size: { columns: number; rows: number }, hooks: ScreenHooks): Screen {
  const terminal = new headless.Terminal({
    cols: side(size.columns, 80, maxColumns),
    rows: side(size.rows, 24, maxRows),
    scrollback,
    allowProposedApi: true,
    logLevel: 'off',
  });
  const writeNow = synchronousWriter(terminal);
  const serializer = new SerializeAddon();
  terminal.loadAddon(serializer);
  terminal.unicode.register(boundedWidths());
  terminal.unicode.activeVersion = 'sshtrail';
  guardSequences(terminal);
  addHooks(terminal, hooks);
  const active = (): headless.IBuffer => terminal.buffer.active;
  return {
    get columns() {
      return terminal.cols;
    },
    get rows() {
      return terminal.rows;
    },
    get alternate() {
      return active().type === 'alternate';
    },
    get lastRow() {
      return active().length - 1;
    },
    write: writeNow,
    resize(columns, rows) {
      terminal.resize(side(columns, terminal.cols, maxColumns), side(rows, terminal.rows, maxRows));
    },
    cursor: () => ({ row: active().baseY + active().cursorY, column: active().cursorX }),
    mark: (column) => markAt(terminal, column ?? active().cursorX),
    text: (row, start = 0, end) => active().getLine(row)?.translateToString(false, start, end) ?? '',
    textWithoutFaint: (row, start) => textWithoutFaint(active().getLine(row), start),
    wrapped: (row) => active().getLine(row)?.isWrapped ?? false,
    full: (row) =>
      (active()
        .getLine(row)
        ?.getCell(terminal.cols - 1)
        ?.getChars() ?? '') !== '' || endsInWide(terminal, row),
    columnAfter: (row, length) => columnAfter(active().getLine(row), length),
    snapshot: () => serializer.serialize({ scrollback: 0 }),
    close() {
      terminal.dispose();
    },
  };
}

function side(cells: number, unknown: number, most: number): number {
  return cells >= 1 ? Math.min(most, Math.max(2, Math.trunc(cells))) : unknown;
}

/**
 * The emulator's public write answers later, from a timer. This runs where nothing else does, and needs the answer at once;
 * the exact version is pinned, and a test would notice the method gone.
 */
function synchronousWriter(terminal: headless.Terminal): (bytes: Uint8Array | string) => void {
  const core: unknown = Reflect.get(terminal, '_core');
  if (typeof core !== 'object' || core === null) throw new TypeError('the emulator has no core');
  const write: unknown = Reflect.get(core, 'writeSync');
  if (typeof write !== 'function') throw new TypeError('the emulator cannot write at once');
  return (bytes) => void Reflect.apply(write, core, [bytes]);
}

function addHooks(terminal: headless.Terminal, hooks: ScreenHooks): void {
  const { parser } = terminal;
  for (const [final, on] of [
    ['h', true],
    ['l', false],
  ] as const)
    parser.registerCsiHandler({ prefix: '?', final }, (parameters) => {
      // The alternate screen is told of before the switch, while its rows can still be read.
      for (const parameter of parameters) {
        if (parameter === 2004) hooks.bracketedPaste(on);
        if (parameter === 1049 || parameter === 1047 || parameter === 47) hooks.alternate(on);
      }
      return false;
    });
  for (const code of [133, 633] as const)
    parser.registerOscHandler(code, (text) => {
      hooks.shellSays(code, text);
      return true;
    });
  parser.registerEscHandler({ final: 'c' }, () => {
    hooks.reset();
    return false;
  });
  terminal.onLineFeed(() => hooks.lineFeed());
}

function markAt(terminal: headless.Terminal, column: number): Mark {
  const buffer = terminal.buffer.active;
  const row = buffer.baseY + buffer.cursorY;
  if (buffer.type === 'alternate') return { column, row: () => row, drop: () => undefined };
  const marker = terminal.registerMarker(0);
  if (marker === undefined) return { column, row: () => row, drop: () => undefined };
  return {
    column,
    row: () => (marker.isDisposed || marker.line < 0 ? undefined : marker.line),
    drop: () => marker.dispose(),
  };
}

function endsInWide(terminal: headless.Terminal, row: number): boolean {
  const line = terminal.buffer.active.getLine(row);
  return (
    line?.getCell(terminal.cols - 1)?.getWidth() === 0 && line.getCell(terminal.cols - 2)?.getWidth() === 2
  );
}

function textWithoutFaint(line: headless.IBufferLine | undefined, start: number): string {
  let text = '';
  for (let column = start; column < (line?.length ?? 0); column += 1) {
    const cell = line?.getCell(column);
    if (cell === undefined || cell.getWidth() === 0) continue;
    text += isFaint(cell) ? ' '.repeat(cell.getWidth()) : cell.getChars() || ' ';
  }
  return text;
}

/** Dim, bright black, or a grey of the palette or of 24 bits: what suggestions are drawn in. */
function isFaint(cell: headless.IBufferCell): boolean {
  if (cell.isDim() !== 0) return true;
  const color = cell.getFgColor();
  if (cell.isFgPalette()) return color === 8 || (color >= 236 && color <= 248);
  if (!cell.isFgRGB()) return false;
  const [red, green, blue] = [(color >> 16) & 255, (color >> 8) & 255, color & 255];
  return Math.max(red, green, blue) - Math.min(red, green, blue) < 24 && red > 40 && red < 180;
}

function columnAfter(line: headless.IBufferLine | undefined, length: number): number {
  let characters = 0;
  let column = 0;
  while (column < (line?.length ?? 0) && characters < length) {
    const cell = line?.getCell(column);
    characters += cell?.getWidth() === 0 ? 0 : cell?.getChars().length || 1;
    column += 1;
  }
  while (line?.getCell(column)?.getWidth() === 0 && column < line.length) column += 1;
  return column;
}
