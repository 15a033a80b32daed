import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { issuedProofExtensions, parseIssuedProof } from '#core/federation';

describe('the second factor in a certificate of our own', () => {
  it('reads as it was written', () => {
    for (const proof of [
      undefined,
      { method: 'totp', atMs: 5 },
      { method: 'recovery-code', atMs: 1e12 },
    ] as const)
      expect(parseIssuedProof(issuedProofExtensions(proof))).toEqual({
        ok: true,
        ...(proof === undefined ? {} : { proof }),
      });
  });

  it.each([
    ['no time', [['mfa-method@sshtrail', 'totp']]],
    ['a time alone', [['proved-at@sshtrail', '5']]],
    [
      'another method',
      [
        ['mfa-method@sshtrail', 'fido2'],
        ['proved-at@sshtrail', '5'],
      ],
    ],
    [
      'a time that is none',
      [
        ['mfa-method@sshtrail', 'totp'],
        ['proved-at@sshtrail', '1e9'],
      ],
    ],
    [
      'a time before all',
      [
        ['mfa-method@sshtrail', 'totp'],
        ['proved-at@sshtrail', '-5'],
      ],
    ],
  ] as const)('is not taken with %s', (_what, entries) => {
    expect(parseIssuedProof(new Map(entries))).toEqual({ ok: false });
  });

  it('is answered for any text without a fault', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (method, provedAt) => {
        const read = parseIssuedProof(
          new Map([
            ['mfa-method@sshtrail', method],
            ['proved-at@sshtrail', provedAt],
          ]),
        );

        expect(read.ok ? read.proof?.method : 'totp').toMatch(/^(totp|recovery-code)$/);
      }),
    );
  });
});
