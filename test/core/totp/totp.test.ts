import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  attemptTotp,
  newTotpSecret,
  otpauthUri,
  TotpError,
  totpCode,
  totpLockedForMs,
  totpSecretProblem,
  verifyTotp,
} from '#core/totp';

/** RFC 6238 appendix B: the ASCII text 12345678901234567890. */
const rfcSecret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

describe('a TOTP code', () => {
  it.each([
    [59, '94287082'],
    [1111111109, '07081804'],
    [1111111111, '14050471'],
    [1234567890, '89005924'],
    [2000000000, '69279037'],
    [20000000000, '65353130'],
  ])('at %i s is the last six digits of the RFC 6238 vector %s', (seconds, vector) => {
    const nowMs = seconds * 1000;

    expect(totpCode(rfcSecret, nowMs)).toBe(vector.slice(2));
    expect(verifyTotp({ secret: rfcSecret, code: vector.slice(2), nowMs, lastStep: -1 })).toEqual({
      ok: true,
      step: Math.floor(seconds / 30),
      driftSteps: 0,
    });
  });

  it('is accepted one step early or late and no further', () => {
    const nowMs = 1_700_000_000_000;
    const verdicts = [-2, -1, 0, 1, 2].map(
      (steps) =>
        verifyTotp({
          secret: rfcSecret,
          code: totpCode(rfcSecret, nowMs + steps * 30_000),
          nowMs,
          lastStep: -1,
        }).ok,
    );

    expect(verdicts).toEqual([false, true, true, true, false]);
  });

  it('is refused a second time, and so is an older one', () => {
    const nowMs = 1_700_000_000_000;
    const step = Math.floor(nowMs / 30_000);
    const older = totpCode(rfcSecret, nowMs - 30_000);

    expect(
      verifyTotp({ secret: rfcSecret, code: totpCode(rfcSecret, nowMs), nowMs, lastStep: step }),
    ).toEqual({
      ok: false,
      reason: 'reused',
    });
    expect(verifyTotp({ secret: rfcSecret, code: older, nowMs, lastStep: step })).toEqual({
      ok: false,
      reason: 'reused',
    });
  });

  it('may be typed in two groups, as apps show it', () => {
    expect(verifyTotp({ secret: rfcSecret, code: '287 082', nowMs: 59_000, lastStep: -1 }).ok).toBe(true);
  });

  it.each(['', '12345', '1234567', '28708a', '２８７０８２', '287082\n', '-87082', '٢٨٧٠٨٢'])(
    'that is no six ASCII digits is malformed: %j',
    (code) => {
      expect(verifyTotp({ secret: rfcSecret, code, nowMs: 59_000, lastStep: -1 })).toEqual({
        ok: false,
        reason: 'malformed',
      });
    },
  );

  it('of any text, at any time, is answered without a fault', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.nat(),
        fc.integer({ min: -1 }),
        (code, nowMs, lastStep) => {
          const verdict = verifyTotp({ secret: rfcSecret, code, nowMs, lastStep });

          expect(verdict.ok ? verdict.step : Number.POSITIVE_INFINITY).toBeGreaterThan(lastStep);
        },
      ),
    );
  });
});

describe('a TOTP secret', () => {
  it('is 160 fresh bits in base32 that authenticators can read', () => {
    const secret = newTotpSecret(randomBytes);

    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(totpSecretProblem(secret)).toBeUndefined();
    expect(otpauthUri({ issuer: 'sshtrail', identity: 'alice@example.com', secret })).toBe(
      `otpauth://totp/sshtrail:alice%40example.com?issuer=sshtrail&secret=${secret}&algorithm=SHA1&digits=6&period=30`,
    );
  });

  it('cannot be made from a source that gives too little', () => {
    expect(() => newTotpSecret(() => new Uint8Array(3))).toThrow(TotpError);
  });

  it.each([
    '',
    'JBSWY3DPEHPK3PXP',
    'not base32 at all!',
    'jbswy3dpehpk3pxpjbswy3dpehpk3pxp',
    'A'.repeat(4000),
  ])('that is short, long or no base32 is refused and never repeated: %j', (secret) => {
    const problem = totpSecretProblem(secret);

    expect(problem?.includes(secret)).toBe(secret === '');
    expect(() => verifyTotp({ secret, code: '123456', nowMs: 0, lastStep: -1 })).toThrow(TotpError);
  });
});

describe('attempts', () => {
  const nowMs = 1_700_000_000_000;
  const right = totpCode(rfcSecret, nowMs);
  const near = new Set([-1, 0, 1].map((steps) => totpCode(rfcSecret, nowMs + steps * 30_000)));
  const wrong = ['000000', '000001', '000002', '000003'].find((code) => !near.has(code)) ?? '';

  it('lock after five wrong codes for 60 s, then twice as long each time up to 15 minutes', () => {
    let state = attemptTotp(undefined, { secret: rfcSecret, code: wrong, nowMs }).state;
    const locksMs = [];
    for (let failures = 2; failures <= 11; failures += 1) {
      state = attemptTotp({ ...state, lockedUntilMs: 0 }, { secret: rfcSecret, code: wrong, nowMs }).state;
      locksMs.push(totpLockedForMs(state, nowMs));
    }

    expect(locksMs).toEqual([0, 0, 0, 60_000, 120_000, 240_000, 480_000, 900_000, 900_000, 900_000]);
  });

  it('do not look at a right code while locked, and accept it afterwards', () => {
    const locked = { lastStep: -1, failures: 5, lockedUntilMs: nowMs + 60_000 };
    const later = nowMs + 60_000;

    expect(attemptTotp(locked, { secret: rfcSecret, code: right, nowMs })).toEqual({
      kind: 'locked',
      retryAfterMs: 60_000,
      state: locked,
    });
    expect(
      attemptTotp(locked, { secret: rfcSecret, code: totpCode(rfcSecret, later), nowMs: later }),
    ).toMatchObject({ kind: 'accepted', state: { failures: 0, lockedUntilMs: 0 } });
  });

  it('accept a code once: the state that follows refuses it', () => {
    const first = attemptTotp(undefined, { secret: rfcSecret, code: right, nowMs });
    const second = attemptTotp(first.state, { secret: rfcSecret, code: right, nowMs });

    expect(first.kind).toBe('accepted');
    expect(second).toEqual({ kind: 'refused', reason: 'reused', state: first.state });
  });

  it('that are no guesses do not bring a lock nearer', () => {
    let state = attemptTotp(undefined, { secret: rfcSecret, code: '', nowMs }).state;
    for (let attempt = 0; attempt < 20; attempt += 1)
      state = attemptTotp(state, { secret: rfcSecret, code: 'x', nowMs }).state;

    expect(state.failures).toBe(0);
  });

  it('let a guesser look at about a hundred codes in a day', () => {
    let state = attemptTotp(undefined, { secret: rfcSecret, code: wrong, nowMs }).state;
    let looked = 1;
    let clockMs = nowMs;
    while (clockMs < nowMs + 86_400_000) {
      clockMs += Math.max(1, totpLockedForMs(state, clockMs));
      const codes = new Set([-1, 0, 1].map((steps) => totpCode(rfcSecret, clockMs + steps * 30_000)));
      const guess = ['000000', '000001', '000002', '000003'].find((code) => !codes.has(code)) ?? '';
      state = attemptTotp(state, { secret: rfcSecret, code: guess, nowMs: clockMs }).state;
      looked += 1;
    }

    expect(looked).toBeLessThanOrEqual(105);
  });
});
