import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { confirmTotp, enrollTotp, removeTotp, totpCode } from '#core/totp';
import { createTotpFactor } from '../../../proxy-task/login/second-factor.ts';
import { memoryControlStore } from '../runbook/fakes.ts';

const startMs = Date.UTC(2026, 10, 20, 12);
const stepMs = 30_000;
const minuteMs = 60_000;

function personCalled(name: string) {
  return { name, principalId: name, type: 'person' as const, groups: [] };
}
const bob = personCalled('bob');

function place() {
  const clock = { nowMs: startMs };
  const control = memoryControlStore(clock);
  const recorded: unknown[] = [];
  const record = async (what: unknown) => void recorded.push(what);
  return {
    clock,
    control,
    recorded,
    factor: createTotpFactor(control, () => clock.nowMs),
    async enroll(identity: string, wish: { replace?: boolean; confirm?: boolean } = {}) {
      const { replace = false, confirm = true } = wish;
      const enrolment = await enrollTotp({
        control,
        identity,
        by: 'carol',
        nowMs: clock.nowMs,
        randomBytes,
        replace,
        confirm,
        record,
      });
      if (enrolment.kind !== 'enrolled') throw new Error(enrolment.kind);
      return enrolment;
    },
    confirm: (identity: string, code: string) =>
      confirmTotp({ control, identity, code, nowMs: clock.nowMs, record }),
    remove: (identity: string) => removeTotp(control, identity, async () => {}),
  };
}

/** None of the codes about that time. */
function wrongCode(secret: string, nowMs: number): string {
  const near = new Set([-1, 0, 1].map((steps) => totpCode(secret, nowMs + steps * stepMs)));
  return ['000000', '000001', '000002', '000003'].find((code) => !near.has(code)) ?? '';
}

describe('an enrolment', () => {
  it('counts for nothing until a code of it has come back, and that code logs nobody in', async () => {
    const { clock, control, enroll, confirm, factor } = place();
    const { secret, recoveryCodes, confirmBeforeMs } = await enroll('bob');
    const code = totpCode(secret, startMs);

    expect(confirmBeforeMs).toBe(startMs + 10 * minuteMs);
    expect(await factor.has(bob)).toBe(false);
    for (const each of [code, recoveryCodes[0] ?? ''])
      expect(await factor.check(bob, each)).toEqual({ kind: 'refused', reason: 'not-enrolled' });

    expect(await confirm('bob', code)).toEqual({ kind: 'confirmed' });

    expect(await factor.check(bob, code)).toEqual({ kind: 'refused', reason: 'reused' });
    clock.nowMs += stepMs;
    expect(await factor.check(bob, totpCode(secret, clock.nowMs))).toMatchObject({ kind: 'accepted' });
    expect(await factor.check(bob, recoveryCodes[0] ?? '')).toMatchObject({ kind: 'accepted', left: 9 });
    expect(await control.list('enrolment')).toEqual([]);
    expect(await confirm('bob', code)).toEqual({ kind: 'nothing-waits' });
  });

  it('takes no wrong code, no old one, no recovery code and none of somebody else', async () => {
    const { enroll, confirm, factor, recorded } = place();
    const { secret, recoveryCodes } = await enroll('bob');
    const alice = await enroll('alice');

    for (const code of [
      wrongCode(secret, startMs),
      totpCode(secret, startMs - 2 * stepMs),
      totpCode(alice.secret, startMs),
    ])
      expect(await confirm('bob', code)).toEqual({ kind: 'refused', reason: 'wrong' });
    for (const code of ['', '12345', recoveryCodes[0] ?? ''])
      expect(await confirm('bob', code)).toEqual({ kind: 'refused', reason: 'malformed' });

    expect(await factor.has(bob)).toBe(false);
    expect(recorded.slice(2, 5)).toEqual(['wrong', 'wrong', 'wrong'].map((denyReason) => ({ denyReason })));
    expect(await confirm('alice', totpCode(alice.secret, startMs))).toEqual({ kind: 'confirmed' });
  });

  it('looks at no code for a while after five wrong ones', async () => {
    const { clock, enroll, confirm, recorded } = place();
    const { secret } = await enroll('bob');

    for (let failure = 0; failure < 5; failure += 1)
      expect(await confirm('bob', wrongCode(secret, startMs))).toMatchObject({ reason: 'wrong' });

    const right = totpCode(secret, startMs);
    expect(await confirm('bob', right)).toEqual({ kind: 'locked', retryAfterMs: minuteMs });
    expect(recorded.at(-1)).toEqual({ denyReason: 'locked' });
    clock.nowMs += minuteMs;
    expect(await confirm('bob', totpCode(secret, clock.nowMs))).toEqual({ kind: 'confirmed' });
  });

  it('is forgotten after ten minutes', async () => {
    const { clock, control, enroll, confirm, factor } = place();
    const { secret } = await enroll('bob');

    clock.nowMs += 10 * minuteMs;

    expect(await confirm('bob', totpCode(secret, clock.nowMs))).toEqual({ kind: 'nothing-waits' });
    expect(await factor.has(bob)).toBe(false);
    expect(await control.list('enrolment')).toEqual([]);
  });

  it('leaves the factor that it replaces good until it is confirmed, and nothing of it afterwards', async () => {
    const { clock, control, enroll, confirm, factor } = place();
    const old = await enroll('bob', { confirm: false });
    const proof = { identity: 'bob', keyFingerprint: 'SHA256:x', sourceIp: '192.0.2.1', method: 'totp' };
    await control.put('proof', 'bob SHA256:x 192.0.2.1', { ...proof, atMs: startMs }, { kind: 'any' });

    const fresh = await enroll('bob', { replace: true });

    expect(await factor.check(bob, totpCode(old.secret, startMs))).toMatchObject({ kind: 'accepted' });
    clock.nowMs += minuteMs;
    expect(await confirm('bob', totpCode(fresh.secret, clock.nowMs))).toEqual({ kind: 'confirmed' });
    expect(await control.list('proof')).toEqual([]);
    clock.nowMs += minuteMs;
    expect(await factor.check(bob, totpCode(old.secret, clock.nowMs))).toMatchObject({ reason: 'wrong' });
    expect(await factor.check(bob, old.recoveryCodes[0] ?? '')).toMatchObject({ reason: 'wrong' });
    expect(await factor.check(bob, totpCode(fresh.secret, clock.nowMs))).toMatchObject({ kind: 'accepted' });
  });

  it('gives way to the next one, to a removal, and to a factor that came meanwhile', async () => {
    const { enroll, confirm, remove } = place();
    const first = await enroll('bob');
    const second = await enroll('bob');

    expect(await confirm('bob', totpCode(first.secret, startMs))).toMatchObject({ kind: 'refused' });
    expect(await remove('bob')).toBe(true);
    expect(await confirm('bob', totpCode(second.secret, startMs))).toEqual({ kind: 'nothing-waits' });
    const third = await enroll('bob');
    await enroll('bob', { confirm: false });
    expect(await confirm('bob', totpCode(third.secret, startMs))).toEqual({ kind: 'nothing-waits' });
  });

  it('does not count when that cannot be put on record', async () => {
    const { control, enroll, factor } = place();
    const { secret } = await enroll('bob');
    const code = totpCode(secret, startMs);
    const record = () => Promise.reject(new Error('no disk'));

    await expect(confirmTotp({ control, identity: 'bob', code, nowMs: startMs, record })).rejects.toThrow(
      'no disk',
    );

    expect(await factor.has(bob)).toBe(false);
  });

  it('counts once where the same code comes twice at a time', async () => {
    const { enroll, confirm } = place();
    const { secret } = await enroll('bob');
    const code = totpCode(secret, startMs);

    const both = await Promise.all([confirm('bob', code), confirm('bob', code)]);

    expect(both.map(({ kind }) => kind).toSorted()).toEqual(['confirmed', 'raced']);
  });

  it('is confirmed by no text that is not its code', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        const { enroll, confirm } = place();
        await enroll('bob');

        expect((await confirm('bob', text)).kind).toBe('refused');
      }),
      { numRuns: 50 },
    );
  });
});
