/** First and last code points that take two cells: East Asian Width W and F, and emoji (Unicode 16, EastAsianWidth.txt), joined over gaps. */
const wide: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x23e9, 0x23ec],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
  [0x1fa70, 0x1faff],
  [0x20000, 0x3fffd],
];
const combining = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

/** Cells of a terminal that a character takes: 0, 1 or 2. Of control characters it says 1. */
export function cellWidth(codePoint: number): 0 | 1 | 2 {
  if (codePoint < 0x300) return 1;
  if (combining.test(String.fromCodePoint(codePoint))) return 0;
  return codePoint >= 0x1100 && wide.some(([first, last]) => codePoint >= first && codePoint <= last) ? 2 : 1;
}

/** Asterisks that take as many cells as the text. */
export function maskOf(text: string): string {
  let cells = 0;
  for (const character of text) cells += cellWidth(character.codePointAt(0) ?? 0);
  return '*'.repeat(cells);
}
