import headless, { type Terminal } from '@xterm/headless';
import { type TerminalState, terminalSize } from '#core/recording';
import { ReplayError } from './replay-error.ts';
import { cursorText, rowsText, type Style, styleParameters, styleText } from './screen-text.ts';

/** An emulated terminal whose screen can also be read. */
export type EmulatedTerminal = Omit<TerminalState, 'snapshot'> & {
  snapshot(): string;
  readonly terminal: Terminal;
  dispose(): void;
};

type SavedCursor = { readonly column: number; readonly row: number; readonly style: string };

/** DECSTBM, 1-based; undefined: the whole screen. */
type Region = { readonly top: number; readonly bottom: number } | undefined;

/** What programs draw with and xterm.js does not tell. */
type DrawingState = {
  /** Each of the two screens has its own. */
  regions: { readonly normal: Region; readonly alternate: Region };
  cursorHidden: boolean;
  /** What G0 and G1 are, by the intermediate of their designation. */
  charsets: ReadonlyMap<string, string>;
  /** SO was the last of SO and SI. */
  usesG1: boolean;
  savedCursor: SavedCursor | undefined;
  /** The cursor with which the alternate screen was entered, which comes back where it is left. */
  mainCursor: SavedCursor | undefined;
};

/**
 * A terminal of xterm.js without a screen. `scrollback`: rows it keeps above the screen. Sequences that repeat something more often than
 * the screen has cells or rows are left out: xterm.js would work on a single one of them for minutes (2^31 scrolled lines).
 */
export function createTerminalState(
  columns: number,
  rows: number,
  options: { readonly scrollback?: number } = {},
): EmulatedTerminal {
  const size = terminalSize(columns, rows);
  const terminal = new headless.Terminal({
    cols: size.columns,
    rows: size.rows,
    scrollback: options.scrollback ?? 0,
    allowProposedApi: true,
    logLevel: 'off',
  });
  leaveOutExcessiveCounts(terminal);
  const drawing = followDrawingState(terminal);
  const write = synchronousWrite(terminal);
  return {
    terminal,
    write(output) {
      write(output);
      const shiftOut = output.lastIndexOf(0x0e);
      const shiftIn = output.lastIndexOf(0x0f);
      if (shiftOut !== shiftIn) drawing.usesG1 = shiftOut > shiftIn;
    },
    resize(newColumns, newRows) {
      const to = terminalSize(newColumns, newRows);
      terminal.resize(to.columns, to.rows);
      drawing.regions = wholeScreens;
    },
    snapshot: () => snapshotText(terminal, drawing, penOf(terminal)),
    dispose: () => terminal.dispose(),
  };
}

/** `write` of xterm.js answers in a later turn. What it does then is this, which has no type; a test holds the pinned version to it. */
function synchronousWrite(terminal: Terminal): (output: Uint8Array) => void {
  const core: unknown = Reflect.get(terminal, '_core');
  const write: unknown = isObject(core) ? Reflect.get(core, 'writeSync') : undefined;
  if (typeof write !== 'function') throw unusable();
  return (output) => void Reflect.apply(write, core, [output]);
}

function leaveOutExcessiveCounts(terminal: Terminal): void {
  const limits: readonly (readonly [final: string, limit: () => number])[] = [
    ['S', () => terminal.rows],
    ['T', () => terminal.rows],
    ['L', () => terminal.rows],
    ['M', () => terminal.rows],
    ['I', () => terminal.cols],
    ['Z', () => terminal.cols],
    ['b', () => terminal.cols * terminal.rows],
  ];
  for (const [final, limit] of limits)
    terminal.parser.registerCsiHandler({ final }, (params) => Number(params[0] ?? 1) > limit());
}

/** A handler that looks on: with false, xterm.js goes on with what it does itself. */
function seen(act: () => void): () => boolean {
  return () => {
    act();
    return false;
  };
}

const wholeScreens = { normal: undefined, alternate: undefined };

function followDrawingState(terminal: Terminal): DrawingState {
  const { parser } = terminal;
  const initial: DrawingState = {
    regions: wholeScreens,
    cursorHidden: false,
    charsets: new Map(),
    usesG1: false,
    savedCursor: undefined,
    mainCursor: undefined,
  };
  const state = { ...initial };
  const cursor = (): SavedCursor => {
    const { cursorX, cursorY } = terminal.buffer.active;
    return {
      column: Math.min(cursorX, terminal.cols - 1) + 1,
      row: cursorY + 1,
      style: styleParameters(penOf(terminal)),
    };
  };
  const reset = seen(() => Object.assign(state, initial));
  parser.registerEscHandler({ final: 'c' }, reset);
  parser.registerCsiHandler({ intermediates: '!', final: 'p' }, reset);
  parser.registerCsiHandler({ final: 'r' }, (params) => {
    const top = Number(params[0] ?? 0) || 1;
    const bottom = Math.min(Number(params[1] ?? 0) || terminal.rows, terminal.rows);
    const region = top === 1 && bottom === terminal.rows ? undefined : { top, bottom };
    if (bottom > top) state.regions = { ...state.regions, [terminal.buffer.active.type]: region };
    return false;
  });
  const save = seen(() => {
    state.savedCursor = cursor();
  });
  parser.registerEscHandler({ final: '7' }, save);
  parser.registerCsiHandler({ final: 's' }, save);
  const switchScreen = (toAlternate: boolean, savesCursor: boolean): void => {
    if (savesCursor && toAlternate) state.savedCursor = cursor();
    if (toAlternate === (terminal.buffer.active.type === 'alternate')) return;
    if (toAlternate) state.mainCursor = state.savedCursor;
    state.savedCursor = toAlternate ? undefined : state.mainCursor;
    state.regions = { ...state.regions, alternate: undefined };
  };
  for (const [final, on] of [
    ['h', true],
    ['l', false],
  ] as const)
    parser.registerCsiHandler({ prefix: '?', final }, (params) => {
      for (const mode of params) {
        if (mode === 25) state.cursorHidden = !on;
        if (mode === 1048 && on) state.savedCursor = cursor();
        if (mode === 47 || mode === 1047 || mode === 1049) switchScreen(on, mode === 1049);
      }
      return false;
    });
  for (const intermediates of ['(', ')'])
    for (const final of ['0', 'A', 'B'])
      parser.registerEscHandler(
        { intermediates, final },
        seen(() => {
          state.charsets = new Map([...state.charsets, [intermediates, final]]);
        }),
      );
  return state;
}

function snapshotText(terminal: Terminal, state: DrawingState, pen: Style): string {
  const { normal, active } = terminal.buffer;
  let text = rowsText(terminal, normal);
  if (active.type === 'alternate') {
    const main = regionText(state.regions.normal) + cursorText(terminal, normal, normal.cursorY + 1);
    text += `${main}${styleText(state.mainCursor?.style ?? '')}\u001b[?1049h\u001b[m\u001b[2J`;
    if (state.regions.normal !== undefined) text += '\u001b[r';
    text += rowsText(terminal, active);
  }
  return text + drawingText(terminal, state) + styleText(styleParameters(pen)) + charsetText(state);
}

/** What is not on the screen, and the cursor, which all of it moves. */
function drawingText(terminal: Terminal, { regions, savedCursor, cursorHidden }: DrawingState): string {
  const { modes } = terminal;
  const { cursorY, type } = terminal.buffer.active;
  const region = regions[type];
  let text = '';
  if (savedCursor !== undefined)
    text += `\u001b[${savedCursor.row};${savedCursor.column}H${styleText(savedCursor.style)}\u001b7\u001b[m`;
  text += regionText(region);
  if (modes.originMode) text += '\u001b[?6h';
  const row = modes.originMode ? cursorY + 2 - (region?.top ?? 1) : cursorY + 1;
  text += cursorText(terminal, terminal.buffer.active, Math.max(1, row));
  if (modes.applicationCursorKeysMode) text += '\u001b[?1h';
  if (modes.insertMode) text += '\u001b[4h';
  if (!modes.wraparoundMode) text += '\u001b[?7l';
  if (cursorHidden) text += '\u001b[?25l';
  return text;
}

function regionText(region: Region): string {
  return region === undefined ? '' : `\u001b[${region.top};${region.bottom}r`;
}

function charsetText({ charsets, usesG1 }: DrawingState): string {
  const designations = [...charsets].map(([intermediates, final]) =>
    final === 'B' ? '' : `\u001b${intermediates}${final}`,
  );
  return designations.join('') + (usesG1 ? '\u000e' : '');
}

/** How the next character will look; as with `synchronousWrite`. */
function penOf(terminal: Terminal): Style {
  const core: unknown = Reflect.get(terminal, '_core');
  const handler: unknown = isObject(core) ? Reflect.get(core, '_inputHandler') : undefined;
  const pen: unknown = isObject(handler) ? Reflect.get(handler, '_curAttrData') : undefined;
  if (!isStyle(pen)) throw unusable();
  return pen;
}

const styleMethods = [
  'isBold',
  'isDim',
  'isItalic',
  'isUnderline',
  'isBlink',
  'isInverse',
  'isInvisible',
  'isStrikethrough',
  'isOverline',
  'isFgDefault',
  'isFgRGB',
  'getFgColor',
  'isBgDefault',
  'isBgRGB',
  'getBgColor',
] as const satisfies readonly (keyof Style)[];

function isStyle(value: unknown): value is Style {
  return isObject(value) && styleMethods.every((name) => typeof Reflect.get(value, name) === 'function');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function unusable(): ReplayError {
  return new ReplayError(
    'terminal',
    'this version of @xterm/headless cannot be used; install the one package.json names',
  );
}
