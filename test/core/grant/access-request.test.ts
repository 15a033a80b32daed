import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AccessRequest } from '#core/contract';
import {
  type AccessDecision,
  applyDecision,
  expired,
  grantOf,
  isRequestId,
  stateAt,
} from '../../../core/grant/access-request.ts';
import { approvalBy } from '../../../core/grant/approval.ts';
import { askedAtMs, request } from './sample-request.ts';

const decision = (kind: AccessDecision['kind'], by: string): AccessDecision => ({ kind, by, reason: 'why' });

/** Decisions one after the other, a second apart; what is refused changes nothing. */
function after(start: AccessRequest, decisions: readonly AccessDecision[]): AccessRequest {
  return decisions.reduce((present, each, index) => {
    const result = applyDecision(present, each, askedAtMs + index * 1000);
    return result.kind === 'changed' ? result.request : present;
  }, start);
}

describe('a request', () => {
  test('is approved by as many people as it needs, and makes a grant from then on', () => {
    const first = applyDecision(request({ needed: 2 }), decision('approve', 'bob'), askedAtMs + 1000);
    if (first.kind === 'refused') throw new Error(first.why);
    const second = applyDecision(first.request, decision('approve', 'carol'), askedAtMs + 5000);

    expect(first).toMatchObject({ request: { state: 'waiting' } });
    expect(first.grant).toBeUndefined();
    expect(second).toMatchObject({
      kind: 'changed',
      request: { state: 'approved' },
      grant: {
        id: `g-${'0123456789abcdef'.repeat(2)}`,
        identity: 'alice',
        target: 'db-1',
        login: 'postgres',
        fromMs: askedAtMs + 5000,
        untilMs: askedAtMs + 5000 + 3_600_000,
        approvedBy: ['bob', 'carol'],
        breakGlass: false,
      },
    });
  });

  test.each<[string, AccessRequest, AccessDecision, number, string]>([
    ['approved by who asked', request(), decision('approve', 'alice'), 0, 'own-request'],
    ['approved by who asked, in other case', request(), decision('approve', 'ALICE'), 0, 'own-request'],
    ['rejected by who asked', request(), decision('reject', 'alice'), 0, 'own-request'],
    ['cancelled by somebody else', request(), decision('cancel', 'bob'), 0, 'not-own-request'],
    [
      'approved twice by one',
      request({ needed: 2, approvals: [{ by: 'bob', atMs: askedAtMs }] }),
      decision('approve', 'Bob'),
      0,
      'approved-before',
    ],
    ['approved when its time is over', request(), decision('approve', 'bob'), 3_600_000, 'expired'],
    ['cancelled when its time is over', request(), decision('cancel', 'alice'), 3_600_000, 'expired'],
    [
      'approved after it was rejected',
      request({ state: 'rejected' }),
      decision('approve', 'bob'),
      0,
      'decided-before',
    ],
    [
      'rejected after it was approved',
      request({ state: 'approved' }),
      decision('reject', 'bob'),
      0,
      'decided-before',
    ],
    [
      'approved after it was cancelled',
      request({ state: 'cancelled' }),
      decision('approve', 'bob'),
      0,
      'decided-before',
    ],
    ['approved after it expired', request({ state: 'expired' }), decision('approve', 'bob'), 0, 'expired'],
  ])('is left as it is when %s', (_, before, what, laterMs, why) => {
    expect(applyDecision(before, what, askedAtMs + laterMs)).toEqual({ kind: 'refused', why });
  });

  test('that was approved can be given back, which ends its grant', () => {
    const approved = after(request(), [decision('approve', 'bob')]);

    const result = applyDecision(approved, decision('cancel', 'alice'), askedAtMs + 60_000);

    expect(result).toMatchObject({
      request: { state: 'cancelled', decided: { by: 'alice' } },
      grant: { untilMs: askedAtMs + 60_000 },
    });
  });

  test('waits until its time is over, whether or not anybody said so', () => {
    const waiting = request();

    expect(stateAt(waiting, askedAtMs + 3_599_999)).toBe('waiting');
    expect(stateAt(waiting, askedAtMs + 3_600_000)).toBe('expired');
    expect(expired(waiting, askedAtMs + 3_599_999)).toBeUndefined();
    expect(expired(waiting, askedAtMs + 3_600_000)?.state).toBe('expired');
  });

  test('by break-glass is looked at afterwards, once, and by somebody else', () => {
    const taken = request({ state: 'approved', breakGlass: true });

    const own = applyDecision(taken, decision('approve', 'alice'), askedAtMs + 1000);
    const approved = applyDecision(taken, decision('approve', 'bob'), askedAtMs + 1000);
    const rejected = applyDecision(taken, decision('reject', 'bob'), askedAtMs + 1000);

    expect(own).toEqual({ kind: 'refused', why: 'own-request' });
    expect(approved).toMatchObject({
      request: { review: { outcome: 'approved', by: 'bob' } },
      grant: { approvedBy: ['bob'], breakGlass: true },
    });
    expect(rejected).toMatchObject({
      request: { review: { outcome: 'rejected' } },
      grant: { untilMs: askedAtMs + 1000, approvedBy: [] },
    });
    if (approved.kind === 'refused') throw new Error(approved.why);
    expect(applyDecision(approved.request, decision('reject', 'carol'), askedAtMs + 2000)).toEqual({
      kind: 'refused',
      why: 'decided-before',
    });
  });
});

describe('whatever is decided', () => {
  const people = fc.constantFrom('alice', 'Alice', 'bob', 'BOB', 'carol', 'dora');
  const decisions = fc.array(
    fc.record({
      kind: fc.constantFrom('approve', 'reject', 'cancel'),
      by: people,
      reason: fc.constant('why'),
    }),
    { maxLength: 12 },
  );

  test('an approved request has as many approvals as it needs, by different people, none of them who asked', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), decisions, (needed, all) => {
        const { state, approvals } = after(request({ needed }), all);
        const names = approvals.map(({ by }) => by.toLowerCase());

        expect(new Set(names).size).toBe(names.length);
        expect(names).not.toContain('alice');
        expect(names.length).toBeLessThanOrEqual(needed);
        if (state === 'approved') expect(names).toHaveLength(needed);
      }),
    );
  });

  test('a request that was rejected or cancelled stays so', () => {
    fc.assert(
      fc.property(decisions, fc.constantFrom('rejected', 'cancelled'), (all, state) => {
        expect(after(request({ state }), all).state).toBe(state);
      }),
    );
  });
});

describe('a grant', () => {
  const grant = grantOf(after(request(), [decision('approve', 'bob')]));
  const holder = { identity: 'alice', target: 'db-1', login: 'postgres' };
  const good = { count: 1, breakGlass: false };

  test.each([
    ['at its first moment', holder, 'shell', grant.fromMs, good],
    ['at its last moment', holder, 'shell', grant.untilMs - 1, good],
    ['when it is over', holder, 'shell', grant.untilMs, undefined],
    ['before it begins', holder, 'shell', grant.fromMs - 1, undefined],
    ['for somebody else', { ...holder, identity: 'bob' }, 'shell', grant.fromMs, undefined],
    ['for another target', { ...holder, target: 'db-2' }, 'shell', grant.fromMs, undefined],
    ['for another account', { ...holder, login: 'root' }, 'shell', grant.fromMs, undefined],
  ])('counts for its holder alone, and while it lasts: %s', (_, who, action, atMs, expected) => {
    expect(approvalBy([grant], who, action, atMs)).toEqual(expected);
  });

  test('of some actions is none for the others', () => {
    const narrow = { ...grant, actions: ['connect', 'exec'] };

    expect(approvalBy([narrow], holder, 'exec', grant.fromMs)).toEqual(good);
    expect(approvalBy([narrow], holder, 'shell', grant.fromMs)).toBeUndefined();
  });

  test('is not added to another one', () => {
    const other = { ...grant, id: 'g-2', approvedBy: ['carol'] };

    expect(approvalBy([grant, other], holder, 'shell', grant.fromMs)).toEqual(good);
  });
});

test('nothing but a request id is one', () => {
  expect(isRequestId(request().id)).toBe(true);
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !isRequestId(text)));
  for (const text of [request().id.toUpperCase(), `${request().id}\n`, `g${request().id.slice(1)}`])
    expect(isRequestId(text)).toBe(false);
});
