import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { openSqliteControlStore } from '#adapters/local';
import type { AuditDraft, ControlStore } from '#core/contract';
import {
  type AccessDecision,
  breakGlass,
  decideRequest,
  expireRequests,
  goodGrants,
  openRequest,
  type RequestDesk,
  waitingOf,
} from '#core/grant';
import { memoryControlStore } from '../runbook/fakes.ts';
import { askedAtMs, request } from './sample-request.ts';

const clock = { nowMs: askedAtMs };
let control: ControlStore;
let drafts: AuditDraft[];
let desk: RequestDesk;

const holder = { identity: 'alice', target: 'db-1', login: 'postgres' };
const allowed = async () => undefined;
const decision = (kind: AccessDecision['kind'], by: string): AccessDecision => ({ kind, by, reason: 'why' });
const hand = (name: string) =>
  ({ kind: 'hand', identity: { name, principalId: name, type: 'LocalUser' }, account: 'operator' }) as const;
const decide = (kind: AccessDecision['kind'], by: string, id = request().id, on = desk) =>
  decideRequest(on, hand(by), id, decision(kind, by), allowed);
const names = () => drafts.map(({ eventName, errorCode }) => [eventName, errorCode]);

function wish(changes: { readonly needed?: number; readonly id?: string } = {}) {
  const { id, identity, target, login, actions, reason, forMs } = request();
  return {
    id,
    identity,
    target,
    login,
    actions,
    reason,
    forMs,
    decideWithinMs: 3_600_000,
    needed: 1,
    ...changes,
  };
}

beforeEach(() => {
  clock.nowMs = askedAtMs;
  control = memoryControlStore(clock);
  drafts = [];
  desk = {
    control,
    now: () => clock.nowMs,
    record: async (draft) => {
      drafts.push(draft);
    },
  };
});

describe('a request', () => {
  test('is on record before anybody can see it', async () => {
    const failing = { ...desk, record: () => Promise.reject(new Error('the journal is full')) };

    await expect(openRequest(failing, hand('alice'), wish())).rejects.toThrow('the journal is full');

    expect(await control.list('request')).toEqual([]);
  });

  test('that is approved becomes a grant, which is on record before it is there', async () => {
    await openRequest(desk, hand('alice'), wish());
    clock.nowMs += 60_000;

    const outcome = await decide('approve', 'bob');

    expect(outcome).toMatchObject({ kind: 'changed', request: { state: 'approved' } });
    expect(await goodGrants(desk, holder)).toHaveLength(1);
    expect(names()).toEqual([
      ['RequestAccess', undefined],
      ['ApproveRequest', undefined],
    ]);
    expect(drafts[1]).toMatchObject({
      userIdentity: { userName: 'bob' },
      requestParameters: { subjectName: 'alice', target: 'db-1', targetUser: 'postgres' },
      responseElements: { state: 'approved', approvals: '1', approvedBy: 'bob' },
      additionalEventData: { account: 'operator' },
    });
  });

  test('whose approval cannot be put on record has no grant, until it is approved again', async () => {
    await openRequest(desk, hand('alice'), wish());
    const failing = { ...desk, record: () => Promise.reject(new Error('the journal is full')) };
    await expect(decide('approve', 'bob', request().id, failing)).rejects.toThrow('the journal is full');
    const before = await goodGrants(desk, holder);

    const by = await Promise.all([decide('approve', 'carol'), decide('approve', 'bob')]);

    expect(before).toEqual([]);
    expect(by.map(({ kind }) => kind)).toEqual(['refused', 'changed']);
    expect(await goodGrants(desk, holder)).toHaveLength(1);
  });

  test('is not approved by who asked, and the try is on record', async () => {
    await openRequest(desk, hand('alice'), wish());

    const outcome = await decide('approve', 'alice');

    expect(outcome).toMatchObject({ kind: 'refused', why: 'own-request' });
    expect(await goodGrants(desk, holder)).toEqual([]);
    expect(drafts[1]).toMatchObject({
      eventName: 'ApproveRequest',
      errorCode: 'AccessDenied',
      additionalEventData: { denyReason: 'own-request' },
    });
  });

  test('is not approved by whom policy does not let', async () => {
    await openRequest(desk, hand('alice'), wish());

    const outcome = await decideRequest(
      desk,
      hand('mallory'),
      request().id,
      decision('approve', 'mallory'),
      async () => ({
        errorCode: 'AccessDenied',
        denyReason: 'no-policy-allows',
        message: 'no policy allows that',
      }),
    );

    expect(outcome).toMatchObject({ kind: 'refused', why: 'not-allowed', message: 'no policy allows that' });
    expect((await control.get('request', request().id))?.data.approvals).toEqual([]);
  });

  test('that nobody knows is told so, and leaves no trace', async () => {
    expect(await decide('approve', 'bob')).toEqual({ kind: 'unknown' });
    expect(drafts).toEqual([]);
  });

  test('is one of ten that wait at most', async () => {
    for (let number = 0; number < 10; number += 1)
      await openRequest(desk, hand('alice'), wish({ id: `r-${String(number).padStart(32, '0')}` }));

    expect(await openRequest(desk, hand('alice'), wish())).toBe('too-many');
    expect(await waitingOf(desk, 'alice')).toHaveLength(10);

    clock.nowMs += 3_600_000;
    expect(await openRequest(desk, hand('alice'), wish())).toMatchObject({ id: request().id });
  });

  test('that was given back gives no access, even if the grant was not there yet', async () => {
    await openRequest(desk, hand('alice'), wish());
    // Whoever approves is between the event and the grant when it is given back.
    const slow = {
      ...desk,
      record: async (draft: AuditDraft) => {
        drafts.push(draft);
        clock.nowMs += 1000;
        await decide('cancel', 'alice');
      },
    };

    await decide('approve', 'bob', request().id, slow);

    expect((await control.get('request', request().id))?.data.state).toBe('cancelled');
    expect(await goodGrants(desk, holder)).toEqual([]);
  });

  test('expires once on record, however many look', async () => {
    await openRequest(desk, hand('alice'), wish());
    await expireRequests(desk, 'p-1');
    clock.nowMs += 3_600_000;

    await Promise.all([expireRequests(desk, 'p-1'), expireRequests(desk, 'p-2')]);

    expect(names().filter(([name]) => name === 'ExpireRequest')).toHaveLength(1);
    expect(await decide('approve', 'bob')).toMatchObject({ kind: 'refused', why: 'expired' });
  });
});

describe('break-glass', () => {
  test('gives access at once, which no approval is needed for and none counts for', async () => {
    const { grant } = await breakGlass(desk, hand('alice'), wish());

    expect(grant).toMatchObject({ breakGlass: true, approvedBy: [] });
    expect(await goodGrants(desk, holder)).toEqual([grant]);
    expect(names()).toEqual([['UseBreakGlass', undefined]]);
  });

  test('is there only when it is on record', async () => {
    const failing = { ...desk, record: () => Promise.reject(new Error('the journal is full')) };

    await expect(breakGlass(failing, hand('alice'), wish())).rejects.toThrow('the journal is full');

    expect(await goodGrants(desk, holder)).toEqual([]);
  });

  test('ends when somebody else rejects it afterwards', async () => {
    await breakGlass(desk, hand('alice'), wish());
    clock.nowMs += 1000;

    expect(await decide('approve', 'alice')).toMatchObject({ why: 'own-request' });
    await decide('reject', 'bob');

    expect(await goodGrants(desk, holder)).toEqual([]);
  });

  test('counts as approved once somebody else approved it afterwards', async () => {
    await breakGlass(desk, hand('alice'), wish());

    await decide('approve', 'bob');

    expect(await goodGrants(desk, holder)).toMatchObject([{ approvedBy: ['bob'], breakGlass: true }]);
  });
});

describe('at the same moment, over two connections to one store', () => {
  async function twoDesks(): Promise<readonly [RequestDesk, RequestDesk]> {
    const folder = mkdtempSync(join(tmpdir(), 'sshtrail-desk-'));
    const file = join(folder, 'control.sqlite');
    const stores = [
      await openSqliteControlStore(file, { now: desk.now }),
      await openSqliteControlStore(file, { now: desk.now }),
    ] as const;
    onTestFinished(async () => {
      for (const store of stores) await store.close();
      rmSync(folder, { recursive: true, force: true });
    });
    return [
      { ...desk, control: stores[0] },
      { ...desk, control: stores[1] },
    ];
  }

  test('two approvals are one each', async () => {
    const [one, other] = await twoDesks();
    await openRequest(one, hand('alice'), wish({ needed: 2 }));

    await Promise.all([
      decide('approve', 'bob', request().id, one),
      decide('approve', 'carol', request().id, other),
    ]);

    const [grant] = await goodGrants(other, holder);
    expect([...(grant?.approvedBy ?? [])].sort()).toEqual(['bob', 'carol']);
  });

  test('two approvals by one person are one', async () => {
    const [one, other] = await twoDesks();
    await openRequest(one, hand('alice'), wish({ needed: 2 }));

    const outcomes = await Promise.all([
      decide('approve', 'bob', request().id, one),
      decide('approve', 'bob', request().id, other),
    ]);

    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['changed', 'refused']);
    expect(await goodGrants(one, holder)).toEqual([]);
  });

  test('of an approval and a rejection one counts', async () => {
    const [one, other] = await twoDesks();
    await openRequest(one, hand('alice'), wish());

    const outcomes = await Promise.all([
      decide('approve', 'bob', request().id, one),
      decide('reject', 'carol', request().id, other),
    ]);

    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['changed', 'refused']);
    const { state } = (await one.control.get('request', request().id))?.data ?? {};
    expect(await goodGrants(one, holder)).toHaveLength(state === 'approved' ? 1 : 0);
  });
});
