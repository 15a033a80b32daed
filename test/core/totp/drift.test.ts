import { describe, expect, it } from 'vitest';
import type { TotpState } from '#core/contract';
import { attemptTotp, totpCode, verifyTotp } from '#core/totp';

const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const stepMs = 30_000;
const startMs = 1_700_000_010_000;

/** What comes of codes by an authenticator whose clock is ahead by as many steps as each says, ten minutes apart. */
function attempts(offsets: readonly number[]): readonly string[] {
  let state: TotpState | undefined;
  return offsets.map((offset, index) => {
    const nowMs = startMs + index * 600_000;
    const attempt = attemptTotp(state, { secret, code: totpCode(secret, nowMs + offset * stepMs), nowMs });
    state = attempt.state;
    return attempt.kind;
  });
}

describe('a clock that drifts', () => {
  it.each([
    ['ahead', 1],
    ['behind', -1],
  ])('%s is followed for two minutes, a step at a time, and no further', (_way, sign) => {
    const drifting = [0, 1, 2, 3, 4, 5].map((steps) => sign * steps);

    expect(attempts(drifting)).toEqual([...Array<string>(5).fill('accepted'), 'refused']);
  });

  it('is not followed when it jumps', () => {
    expect(attempts([0, 2])).toEqual(['accepted', 'refused']);
    expect(attempts([1, 3])).toEqual(['accepted', 'refused']);
  });

  it('may be put right at once', () => {
    expect(attempts([1, 2, 3, 0, 3])).toEqual(['accepted', 'accepted', 'accepted', 'accepted', 'refused']);
  });

  it('opens the window about where it is and about the present, and nothing between or beyond', () => {
    const nowMs = startMs;
    const accepted = [-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6].filter(
      (offset) =>
        verifyTotp({
          secret,
          code: totpCode(secret, nowMs + offset * stepMs),
          nowMs,
          lastStep: -1,
          driftSteps: 4,
        }).ok,
    );

    expect(accepted).toEqual([-1, 0, 1, 3, 4]);
  });

  it('does not make a code good twice, nor one before it', () => {
    const code = (offset: number) => totpCode(secret, startMs + offset * stepMs);
    const first = attemptTotp(undefined, { secret, code: code(1), nowMs: startMs });

    for (const offset of [1, 0, -1])
      expect(attemptTotp(first.state, { secret, code: code(offset), nowMs: startMs })).toMatchObject({
        kind: 'refused',
        reason: 'reused',
      });
  });
});
