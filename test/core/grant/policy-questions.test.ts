import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { grantWish, mayDecide, type WrittenWish } from '../../../core/grant/policy-questions.ts';
import { reasonText } from '../../../core/grant/request-text.ts';
import { lockOf } from '../lock/sample-locks.ts';
import { policyOf, production, request as question } from '../policy/requests.ts';
import { memoryControlStore } from '../runbook/fakes.ts';
import { request } from './sample-request.ts';

const policy = policyOf(
  `@id("approved") permit (principal in Group::"engineers", action in Action::"session", resource) when { context.approved };`,
  `@id("two") forbid (principal, action in Action::"session", resource == Host::"db-1") unless { context.approvals >= 2 };`,
  `@id("glass") permit (principal == User::"alice", action in Action::"session", resource == Host::"web-1") when { context.breakGlass };`,
  `@id("free") permit (principal, action in Action::"session", resource == Host::"free-1");`,
  `@id("approvers") permit (principal in Group::"leads", action == Action::"approve", resource) unless { context.login == "root" };`,
);
const connect = question({ action: { kind: 'connect' } });
const written: WrittenWish = {
  id: request().id,
  actions: [],
  reason: 'restore the index',
  forMs: 60_000,
  decideWithinMs: 60_000,
  breakGlass: false,
};

describe('a wish', () => {
  test('needs as many people as policy says', () => {
    expect(grantWish(policy, connect, written)).toMatchObject({
      ok: true,
      wish: { needed: 1, actions: ['*'] },
    });
    expect(grantWish(policy, { ...connect, target: production }, written)).toMatchObject({
      wish: { needed: 2 },
    });
  });

  test('for some actions is also one to connect', () => {
    const { wish } = {
      wish: undefined,
      ...grantWish(policy, connect, { ...written, actions: ['exec', 'exec'] }),
    };

    expect(wish?.actions).toEqual(['connect', 'exec']);
  });

  test.each<[string, Parameters<typeof grantWish>[1], Partial<WrittenWish>, string]>([
    [
      'that nobody could grant',
      question({ identity: { name: 'eve', kind: 'person', groups: [] } }),
      {},
      'either',
    ],
    [
      'that needs no approval',
      { ...connect, target: { ...production, name: 'free-1' } },
      {},
      'without approval',
    ],
    [
      'by break-glass where policy does not let',
      { ...connect, target: production },
      { breakGlass: true },
      'by break-glass;',
    ],
    ['without a reason', connect, { reason: ' \n' }, 'reason'],
    ['with too much of a reason', connect, { reason: 'x'.repeat(501) }, 'reason'],
    ['with no ticket in the ticket', connect, { ticket: ' ' }, 'ticket'],
    ['for an action that is none', connect, { actions: ['fly'] }, 'no action'],
    ['to approve', connect, { actions: ['approve'] }, 'no action'],
  ])('%s is refused with what to do', (_, asked, changes, sentence) => {
    const result = grantWish(policy, asked, { ...written, ...changes });

    expect(result).toMatchObject({ ok: false, message: expect.stringContaining(sentence) });
  });

  test('by break-glass is one where policy lets, and is not approved by that', () => {
    expect(grantWish(policy, connect, { ...written, breakGlass: true }).ok).toBe(true);
  });
});

describe('who may decide', () => {
  const approve = question({ action: { kind: 'approve' }, target: production, login: 'postgres' });
  const lead = { name: 'bob', kind: 'person', groups: ['leads'] } as const;

  const control = memoryControlStore({ nowMs: approve.nowMs });

  test('is who policy lets, for the target and the account of the request', async () => {
    const asked = (changes: object) => mayDecide(control, policy, request(), { ...approve, ...changes });

    expect(await asked({ identity: lead })).toBeUndefined();
    expect(await asked({ identity: lead, login: 'root' })).toMatchObject({ errorCode: 'AccessDenied' });
    expect(await asked({ identity: { ...lead, groups: [] } })).toMatchObject({ errorCode: 'AccessDenied' });
  });

  test('is nobody where there is no policy', async () => {
    expect(await mayDecide(control, undefined, request(), { ...approve, identity: lead })).toMatchObject({
      denyReason: 'policy-unavailable',
    });
  });

  test('is nobody whom a lock fits, as long as it holds', async () => {
    const locked = memoryControlStore({ nowMs: approve.nowMs });
    const asked = () => mayDecide(locked, policy, request(), { ...approve, identity: lead });
    const lock = lockOf({ identity: 'bob' });

    await locked.put('lock', lock.lockId, lock, { kind: 'any' });
    expect(await asked()).toMatchObject({ denyReason: 'locked' });

    await locked.put('lock', lock.lockId, { ...lock, selector: { identity: 'carol' } }, { kind: 'any' });
    expect(await asked()).toBeUndefined();
  });
});

test('a reason is one line that moves no cursor, whatever was typed', () => {
  expect(reasonText('  all is down\u001b[2J\r\nroot ')).toBe('all is down\\u{1b}[2J\\u{d}\\u{a}root');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (text) => {
      const reason = reasonText(text) ?? 'none';
      expect(reason).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(reason.length).toBeLessThanOrEqual(500);
    }),
  );
});
