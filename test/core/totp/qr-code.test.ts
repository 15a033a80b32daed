import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { qrCode } from '#core/totp';

/** Bytes, modules a side, and the modules' digest; compared with another encoder's for every length from 0 to 271. */
const vectors = [
  [0, 21, '4ce260f1891fd1b827103e74ba1bc3c4'],
  [17, 21, '09c46f2e51c67a1bccbf7ae1540cb510'],
  [18, 25, 'a0c6dbaaa001dc867214d408f39e5010'],
  [53, 29, 'bcca296338e852fe4256ab54a829ba48'],
  [78, 33, '02128cc6f128c5b6ea7132f546bb0e0f'],
  [106, 37, '188ebbe199eb169a58348c006c1c58d6'],
  [134, 41, 'c4f456be2a89f7d41bb5f6dec0717a96'],
  [154, 45, 'eb3563a27c6ed936b5bd941560de7ec2'],
  [192, 49, '758687eec0ad1cadb0e8faf54fd8ab56'],
  [230, 53, '9d2b5d6b6bd8842242614890aa109962'],
  [271, 57, '80142b0440c140b1d399b502397a14de'],
] as const;

const uri = 'otpauth://totp/sshtrail:';

describe('a QR code', () => {
  it.each(vectors)('of %i bytes is the one of the standard', (bytes, size, digest) => {
    const code = qrCode(uri.padEnd(bytes, 'A').slice(0, bytes)) ?? [];

    const text = code.map((row) => row.map((dark) => (dark ? '1' : '0')).join('')).join('\n');
    expect(code).toHaveLength(size);
    expect(createHash('sha256').update(text).digest('hex').slice(0, 32)).toBe(digest);
  });

  it('counts bytes, and is none where there are too many', () => {
    expect(qrCode('é'.repeat(135))).toHaveLength(57);
    expect(qrCode('é'.repeat(136))).toBeUndefined();
  });

  it('is square and has its three finders whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const code = qrCode(text) ?? [];

        const finder = ['1111111', '1000001', '1011101', '1011101', '1011101', '1000001', '1111111'];
        const corner = (row: number, column: number) =>
          code
            .slice(row)
            .slice(0, 7)
            .map((line) => line.slice(column).slice(0, 7).map(Number).join(''));
        for (const [row, column] of [
          [0, 0],
          [0, -7],
          [-7, 0],
        ] as const)
          expect(corner(row, column)).toEqual(finder);
      }),
      { numRuns: 30 },
    );
  });
});
