import { encode } from 'uqr';

/** Light modules around the code, so that a camera finds it. */
const quiet = 4;
/** No terminal has room for more. */
const maxBytes = 1024;
/** Black on bright white, whatever the colours of the terminal are: cameras do not read the negative. */
const [ink, plain] = ['\u001b[30;107m', '\u001b[0m'];

/** The text as a QR code, two rows of modules a line; none where the terminal is too narrow or the text too long. */
export function qrLines(text: string, columns: number): readonly string[] {
  if (Buffer.byteLength(text) > maxBytes) return [];
  // At the lowest level of correction: a screen has no dirt.
  const { data, size } = encode(text, { ecc: 'L', border: quiet });
  if (size > columns) return [];
  const isDark = (row: number, column: number) => data[row]?.[column] === true;
  return Array.from({ length: Math.ceil(size / 2) }, (_, line) => {
    const cells = Array.from({ length: size }, (_cell, column) =>
      cellOf(isDark(2 * line, column), isDark(2 * line + 1, column)),
    );
    return `${ink}${cells.join('')}${plain}`;
  });
}

function cellOf(upper: boolean, lower: boolean): string {
  if (upper) return lower ? '█' : '▀';
  return lower ? '▄' : ' ';
}
