import type { IBuffer, IBufferCell, Terminal } from '@xterm/headless';

/** How characters look. A cell has it, and so has the pen that writes the next ones. */
export type Style = Pick<
  IBufferCell,
  | 'isBold'
  | 'isDim'
  | 'isItalic'
  | 'isUnderline'
  | 'isBlink'
  | 'isInverse'
  | 'isInvisible'
  | 'isStrikethrough'
  | 'isOverline'
  | 'isFgDefault'
  | 'isFgRGB'
  | 'getFgColor'
  | 'isBgDefault'
  | 'isBgRGB'
  | 'getBgColor'
>;

/** Characters of one cell, combining ones among them, that are drawn. */
const maxClusterLength = 64;

/** Output that draws the rows of a buffer's screen on an empty one, from and to the plain style, the cursor anywhere. */
export function rowsText(terminal: Terminal, buffer: IBuffer): string {
  let text = '';
  let style = '';
  for (let y = 0; y < terminal.rows; y += 1) {
    const row = rowText(terminal, buffer, y, style);
    if (row === undefined) continue;
    text += continuesRowBefore(terminal, buffer, y) ? row.text : `\u001b[${y + 1}H${row.text}`;
    style = row.style;
  }
  return style === '' ? text : `${text}\u001b[m`;
}

/** Puts the cursor to where it is; `row` is its row from 1, as origin mode counts. The style is plain before and after. */
export function cursorText(terminal: Terminal, buffer: IBuffer, row: number): string {
  const { cursorX, cursorY } = buffer;
  if (cursorX < terminal.cols) return `\u001b[${row};${cursorX + 1}H`;
  // Behind the last column: the next character wraps. Only writing the one there again leads to that.
  const line = buffer.getLine(buffer.baseY + cursorY);
  const last = line?.getCell(terminal.cols - 1);
  const column = last?.getWidth() === 0 ? terminal.cols - 1 : terminal.cols;
  const cell = line?.getCell(column - 1);
  const drawn = cell === undefined ? ' ' : charactersOf(cell, column === terminal.cols ? 1 : 2);
  const style = cell === undefined ? '' : styleParameters(cell);
  return `\u001b[${row};${column}H${styleText(style)}${drawn}${style === '' ? '' : '\u001b[m'}`;
}

/** '' where it is plain. */
export function styleText(parameters: string): string {
  return parameters === '' ? '' : `\u001b[${parameters}m`;
}

/** The parameters of SGR that lead to the style from the plain one. ECMA-48 §8.3.117, xterm ctlseqs. */
export function styleParameters(style: Style): string {
  const parameters: (number | string)[] = [];
  if (style.isBold() !== 0) parameters.push(1);
  if (style.isDim() !== 0) parameters.push(2);
  if (style.isItalic() !== 0) parameters.push(3);
  if (style.isUnderline() !== 0) parameters.push(4);
  if (style.isBlink() !== 0) parameters.push(5);
  if (style.isInverse() !== 0) parameters.push(7);
  if (style.isInvisible() !== 0) parameters.push(8);
  if (style.isStrikethrough() !== 0) parameters.push(9);
  if (style.isOverline() !== 0) parameters.push(53);
  if (!style.isFgDefault()) parameters.push(colour(30, style.isFgRGB(), style.getFgColor()));
  if (!style.isBgDefault()) parameters.push(colour(40, style.isBgRGB(), style.getBgColor()));
  return parameters.join(';');
}

function colour(base: 30 | 40, isRgb: boolean, value: number): number | string {
  if (isRgb) return `${base + 8};2;${(value >> 16) & 255};${(value >> 8) & 255};${value & 255}`;
  if (value < 8) return base + value;
  return value < 16 ? base + 60 + value - 8 : `${base + 8};5;${value}`;
}

/** Undefined where nothing is to be drawn. `style` is that of the last character before. */
function rowText(
  terminal: Terminal,
  buffer: IBuffer,
  y: number,
  styleBefore: string,
): { readonly text: string; readonly style: string } | undefined {
  const line = buffer.getLine(buffer.baseY + y);
  if (line === undefined) return undefined;
  const full = continuesRowBefore(terminal, buffer, y + 1);
  let text = '';
  let style = styleBefore;
  // Blanks are drawn when something follows them.
  let blanks = 0;
  for (let x = 0; x < terminal.cols; x += 1) {
    const cell = line.getCell(x);
    if (cell === undefined) break;
    const parameters = styleParameters(cell);
    if (cell.getChars() === '' && cell.getWidth() === 1 && parameters === '' && !full) {
      blanks += 1;
      continue;
    }
    if (blanks > 0) {
      if (style !== '') text += '\u001b[m';
      text += ' '.repeat(blanks);
      style = '';
      blanks = 0;
    }
    if (parameters !== style) text += parameters === '' ? '\u001b[m' : `\u001b[0;${parameters}m`;
    style = parameters;
    const isWide = cell.getWidth() === 2 && line.getCell(x + 1)?.getWidth() === 0;
    text += charactersOf(cell, isWide ? 2 : 1);
    if (isWide) x += 1;
  }
  return text === '' ? undefined : { text, style };
}

/** A cell that says another width than it has room for was half overwritten. */
function charactersOf(cell: IBufferCell, width: 1 | 2): string {
  const characters = cell.getChars();
  return characters === '' || cell.getWidth() !== width ? ' ' : characters.slice(0, maxClusterLength);
}

/** The row before is full to its last cell and goes on in this one, so that writing on leads here. */
function continuesRowBefore(terminal: Terminal, buffer: IBuffer, y: number): boolean {
  if (y === 0 || y >= terminal.rows || buffer.getLine(buffer.baseY + y)?.isWrapped !== true) return false;
  const last = buffer.getLine(buffer.baseY + y - 1)?.getCell(terminal.cols - 1);
  return last !== undefined && (last.getWidth() === 0 || last.getChars() !== '');
}
