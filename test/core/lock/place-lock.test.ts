import { describe, expect, it } from 'vitest';
import { liftLock, lockIdFor, lockIdPattern, newLockId, placeLock } from '../../../core/lock/index.ts';
import { fakeJournal, memoryControlStore } from '../runbook/fakes.ts';

const author = { kind: 'person', name: 'alice' } as const;
const lockId = lockIdFor('a');

function openPlace() {
  const clock = { nowMs: 5_000 };
  const control = memoryControlStore(clock);
  const journal = fakeJournal();
  const tools = {
    control,
    now: () => clock.nowMs,
    record: journal.record,
  };
  const wish = { lockId, selector: { identity: 'bob' }, message: 'call us' } as const;
  const names = () => journal.drafts.map(({ eventName }) => eventName);
  return { clock, control, journal, tools, wish, names };
}

describe('a lock that is placed', () => {
  it('is on record with whom it is about, and in the store until it expires', async () => {
    const { control, journal, tools, wish, clock } = openPlace();

    const placed = await placeLock({ ...wish, forMs: 1_000 }, author, tools);

    const lock = {
      lockId,
      selector: { identity: 'bob' },
      message: 'call us',
      author: 'alice',
      createdAtMs: 5_000,
      expiresAtMs: 6_000,
    };
    expect(placed).toEqual({ kind: 'placed', lock });
    expect((await control.get('lock', lockId))?.data).toEqual(lock);
    expect(journal.drafts).toMatchObject([
      {
        eventName: 'CreateLock',
        userIdentity: { type: 'LocalUser', userName: 'alice' },
        requestParameters: { lockId, subjectName: 'bob', reason: 'call us' },
        responseElements: { validTo: '1970-01-01T00:00:06.000Z' },
      },
    ]);
    clock.nowMs = 6_000;
    expect(await control.get('lock', lockId)).toBeUndefined();
  });

  it('is not placed where that cannot be put on record', async () => {
    const { control, journal, tools, wish } = openPlace();
    journal.failure = new Error('the disk is full');

    await expect(placeLock(wish, author, tools)).rejects.toThrow('the disk is full');

    expect(await control.list('lock')).toEqual([]);
  });

  it('is taken back on record where it cannot be stored', async () => {
    const { control, tools, wish, names, journal } = openPlace();
    const failing = { ...control, put: () => Promise.reject(new Error('the table is gone')) };

    await expect(placeLock(wish, author, { ...tools, control: failing })).rejects.toThrow(
      'the table is gone',
    );

    expect(names()).toEqual(['CreateLock', 'DeleteLock']);
    expect(journal.drafts[1]?.responseElements).toEqual({ detail: 'it could not be stored' });
  });

  it('is one lock however often the same is asked for', async () => {
    const { tools, wish, names } = openPlace();
    await placeLock(wish, author, tools);

    const again = await placeLock({ ...wish, message: 'other' }, author, tools);

    expect(again).toMatchObject({ kind: 'already', lock: { message: 'call us' } });
    expect(names()).toEqual(['CreateLock']);
  });

  it('has a bounded message', async () => {
    const { tools, wish } = openPlace();

    const placed = await placeLock({ ...wish, message: 'x'.repeat(10_000) }, author, tools);

    expect(placed).toMatchObject({ lock: { message: 'x'.repeat(500) } });
  });

  it('is refused where there are too many', async () => {
    const { control, tools, wish, names } = openPlace();
    const one = await placeLock(wish, author, tools);
    if (one.kind !== 'placed') throw new Error('the first was not placed');
    const item = { kind: 'lock', id: 'l-other', version: 1, data: one.lock } as const;
    const full = { ...control, list: async () => Array.from({ length: 10_000 }, () => item) };

    const placed = await placeLock({ ...wish, lockId: lockIdFor('b') }, author, {
      ...tools,
      control: { ...control, ...full } as typeof control,
    });

    expect(placed).toEqual({ kind: 'too-many-locks' });
    expect(names()).toEqual(['CreateLock']);
  });
});

describe('a lock that is lifted', () => {
  it('is on record with who made it, and gone', async () => {
    const { control, journal, tools, wish } = openPlace();
    await placeLock(wish, { kind: 'runbook', runbookId: 'SSH-005' }, tools);

    const lifted = await liftLock(lockId, author, tools);

    expect(lifted?.lockId).toBe(lockId);
    expect(await control.list('lock')).toEqual([]);
    expect(journal.drafts.map(({ eventName, userIdentity }) => [eventName, userIdentity.userName])).toEqual([
      ['CreateLock', 'runbook/SSH-005'],
      ['DeleteLock', 'alice'],
    ]);
    expect(journal.drafts[1]?.requestParameters).toMatchObject({ lockAuthor: 'runbook/SSH-005' });
  });

  it('stays where that cannot be put on record', async () => {
    const { control, journal, tools, wish } = openPlace();
    await placeLock(wish, author, tools);
    journal.failure = new Error('the disk is full');

    await expect(liftLock(lockId, author, tools)).rejects.toThrow('the disk is full');

    expect(await control.list('lock')).toHaveLength(1);
  });

  it('is nothing where there is none', async () => {
    const { tools, names } = openPlace();

    expect(await liftLock(lockId, author, tools)).toBeUndefined();
    expect(names()).toEqual([]);
  });
});

it('has an id of its own, or the same for the same words', () => {
  const random = (size: number) => Buffer.alloc(size, 0xab);

  expect(newLockId(random)).toBe(`l-${'ab'.repeat(16)}`);
  expect(lockIdFor('a', 'b')).toMatch(lockIdPattern);
  expect(lockIdFor('a', 'b')).toBe(lockIdFor('a', 'b'));
  expect(lockIdFor('a', 'b')).not.toBe(lockIdFor('ab'));
});
