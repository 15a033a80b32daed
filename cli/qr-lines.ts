import { qrCode } from '#core/totp';

/** Light modules around the code, so that a camera finds it. */
const quiet = 4;
/** Black on bright white, whatever the colours of the terminal are: cameras do not read the negative. */
const [ink, plain] = ['\u001b[30;107m', '\u001b[0m'];

/** The text as a QR code, two rows of modules a line; none where the terminal is too narrow or the text too long. */
export function qrLines(text: string, columns: number): readonly string[] {
  const code = qrCode(text);
  if (code === undefined || code.length + 2 * quiet > columns) return [];
  const isDark = (row: number, column: number) => code[row - quiet]?.[column - quiet] === true;
  const width = code.length + 2 * quiet;
  return Array.from({ length: Math.ceil(width / 2) }, (_, line) => {
    const cells = Array.from({ length: width }, (_cell, column) =>
      cellOf(isDark(2 * line, column), isDark(2 * line + 1, column)),
    );
    return `${ink}${cells.join('')}${plain}`;
  });
}

function cellOf(upper: boolean, lower: boolean): string {
  if (upper) return lower ? '█' : '▀';
  return lower ? '▄' : ' ';
}
