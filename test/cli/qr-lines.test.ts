import { encode } from 'uqr';
import { expect, test } from 'vitest';
import { qrLines } from '../../cli/qr-lines.ts';

test('a QR code is drawn module for module within its quiet zone, or not at all where the terminal is too narrow', () => {
  const uri = 'otpauth://totp/sshtrail:bob';
  const code = encode(uri, { ecc: 'L', border: 0 }).data;
  const width = code.length + 8;

  const lines = qrLines(uri, width);

  const cells = lines.map((line) => line.slice('\u001b[30;107m'.length, -'\u001b[0m'.length).split(''));
  const rows = cells.flatMap((line) => [
    line.map((cell) => cell === '█' || cell === '▀'),
    line.map((cell) => cell === '█' || cell === '▄'),
  ]);
  const inner = rows.slice(4, -4).map((row) => row.slice(4, -4));
  expect(inner.slice(0, code.length)).toEqual(code);
  expect(rows.flat().filter(Boolean)).toHaveLength(code.flat().filter(Boolean).length);
  expect(cells.every((line) => line.length === width)).toBe(true);
  expect(qrLines(uri, width - 1)).toEqual([]);
  expect(qrLines('x'.repeat(1025), 1000)).toEqual([]);
});
