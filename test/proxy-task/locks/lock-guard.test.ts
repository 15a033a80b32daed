import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openSqliteControlStore } from '#adapters/local';
import type { ControlStore, Lock } from '#core/contract';
import type { LockFacts } from '#core/lock';
import {
  createLockGuard,
  type EndOrder,
  type LockGuardOptions,
} from '../../../proxy-task/locks/lock-guard.ts';
import { bob, lockOf } from '../../core/lock/sample-locks.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const deadline = { timeout: 5_000, interval: 5 };

/** A store that can be told to fail, and a guard over it whose clock is set by hand. */
async function openPlace(unreadable: Partial<LockGuardOptions['unreadable']> = {}) {
  const clock = { nowMs: 10_000 };
  const store = await openSqliteControlStore(join(temporaryFolder(), 'control.db'), {
    now: () => clock.nowMs,
  });
  onTestFinished(() => store.close());
  let hold: { readonly arrive: () => void; readonly released: Promise<void> } | undefined;
  const state = {
    fails: false,
    reads: 0,
    /** The next list of locks has its answer, and gives it only when it is released. */
    holdNextList() {
      const arrived = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      hold = { arrive: arrived.resolve, released: released.promise };
      return { arrived: arrived.promise, release: released.resolve };
    },
  };
  const fault = () => Promise.reject(new Error('the disk is gone'));
  const control: Pick<ControlStore, 'get' | 'list' | 'watch'> = {
    get: (kind, id) => (state.fails ? fault() : store.get(kind, id)),
    list: async (kind) => {
      if (state.fails) return fault();
      const items = await store.list(kind);
      const held = hold;
      hold = undefined;
      held?.arrive();
      await held?.released;
      state.reads += 1;
      return items;
    },
    watch: (kind, options) => store.watch(kind, options),
  };
  const reports: string[] = [];
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const guard = createLockGuard({
    control,
    latencyMs: 10,
    // A quarter of it is waited between looks at all locks.
    unreadable: { afterMs: 80, sessions: 'keep', ...unreadable },
    now: () => clock.nowMs,
    report: (line) => reports.push(line),
    signal: stop.signal,
  });
  return {
    clock,
    state,
    guard,
    reports,
    stop,
    put: (lock: Lock) => store.put('lock', lock.lockId, lock, { kind: 'absent' }, lock.expiresAtMs),
    lift: (lock: Lock) => store.delete('lock', lock.lockId),
    /** Somebody who is in; what they were told. */
    enter(facts: LockFacts = bob): EndOrder[] {
      const told: EndOrder[] = [];
      expect(guard.enter(facts, { end: (order) => told.push(order) })).toBeUndefined();
      return told;
    },
    async anotherLook() {
      const { reads } = state;
      await vi.waitFor(() => expect(state.reads).toBeGreaterThan(reads + 1), deadline);
    },
  };
}

describe('the guard of locks', () => {
  it('refuses by the locks that were there before it', async () => {
    const { guard, put } = await openPlace();
    const lock = lockOf({ identity: 'bob' });
    await put(lock);

    await guard.start();

    const refusal = { denyReason: 'locked', lockId: lock.lockId };
    expect(await guard.refusalOf(bob)).toMatchObject(refusal);
    expect(guard.lockOn(bob)).toMatchObject(refusal);
    expect(guard.enter(bob, { end: () => undefined })).toMatchObject(refusal);
    expect(await guard.refusalOf({ ...bob, identity: 'alice' })).toBeUndefined();
  });

  it('ends those whom a new lock fits, once, and nobody else', async () => {
    const { guard, put, enter, anotherLook } = await openPlace();
    await guard.start();
    const told = enter();
    const untouched = enter({ ...bob, sessionId: `s-${'a'.repeat(32)}`, identity: 'alice' });
    const lock = lockOf({ identity: 'bob' });

    await put(lock);
    await vi.waitFor(() => expect(told).toHaveLength(1), deadline);
    await anotherLook();

    expect(told).toEqual([{ kind: 'locked', lock }]);
    expect(untouched).toEqual([]);
  });

  it('leaves those alone who have left', async () => {
    const { guard, put, enter, anotherLook } = await openPlace();
    await guard.start();
    const told = enter();

    guard.leave(bob.sessionId);
    await put(lockOf({ all: true }));
    await anotherLook();

    expect(told).toEqual([]);
  });

  it('lets in at once whose lock was lifted, and forgets it', async () => {
    const { guard, put, lift } = await openPlace({ afterMs: 60_000 });
    const lock = lockOf({ identity: 'bob' });
    await put(lock);
    await guard.start();
    expect(guard.lockOn(bob)).toBeDefined();

    await lift(lock);

    expect(await guard.refusalOf(bob)).toBeUndefined();
    expect(guard.lockOn(bob)).toBeUndefined();
  });

  it('forgets locks that were lifted without anybody asking', async () => {
    const { guard, put, lift, anotherLook } = await openPlace();
    const lock = lockOf({ target: 'web-1' });
    await put(lock);
    await guard.start();

    await lift(lock);
    await anotherLook();

    expect(guard.lockOn(bob)).toBeUndefined();
  });

  it('does not end whom it let in when an answer comes that is older than that', async () => {
    const { guard, put, lift, enter, state } = await openPlace();
    const lock = lockOf({ identity: 'bob' });
    await put(lock);
    await guard.start();
    const { arrived, release } = state.holdNextList();
    await arrived;

    await lift(lock);
    expect(await guard.refusalOf(bob)).toBeUndefined();
    const told = enter();
    release();
    await vi.waitFor(() => expect(state.reads).toBeGreaterThan(2), deadline);

    expect(told).toEqual([]);
  });

  it('lets in whose lock has expired', async () => {
    const { guard, put, clock } = await openPlace({ afterMs: 60_000 });
    await put(lockOf({ identity: 'bob' }, { expiresAtMs: 11_000 }));
    await guard.start();
    expect(await guard.refusalOf(bob)).toBeDefined();

    clock.nowMs = 11_000;

    expect(await guard.refusalOf(bob)).toBeUndefined();
  });
});

describe('a control store that cannot be read', () => {
  it('refuses nobody new at first, and everybody new after the time', async () => {
    const { guard, state, clock, reports, enter } = await openPlace();
    await guard.start();
    state.fails = true;
    await vi.waitFor(() => expect(reports).toHaveLength(1), deadline);

    clock.nowMs += 79;
    expect(await guard.refusalOf(bob)).toBeUndefined();
    const told = enter();
    clock.nowMs += 1;

    const refusal = { errorCode: 'AccessDenied', denyReason: 'control-unreadable' };
    expect(await guard.refusalOf(bob)).toMatchObject(refusal);
    expect(guard.enter({ ...bob }, { end: () => undefined })).toMatchObject(refusal);
    expect(told).toEqual([]);
    expect(reports[0]).toContain('the disk is gone');
  });

  it('refuses everybody before it was ever read', async () => {
    const { guard, state } = await openPlace();
    state.fails = true;

    await guard.start();

    expect(await guard.refusalOf(bob)).toMatchObject({ denyReason: 'control-unreadable' });
  });

  it('lets in again once it can be read, and says so once', async () => {
    const { guard, state, clock, reports, anotherLook } = await openPlace();
    await guard.start();
    state.fails = true;
    await vi.waitFor(() => expect(reports).toHaveLength(1), deadline);
    clock.nowMs += 1_000;
    expect(await guard.refusalOf(bob)).toBeDefined();

    state.fails = false;
    await anotherLook();

    expect(await guard.refusalOf(bob)).toBeUndefined();
    expect(reports).toHaveLength(2);
    expect(reports[1]).toBe('the locks can be read again');
  });

  it('ends everybody who is in after the time, where that is configured', async () => {
    const { guard, state, clock, enter } = await openPlace({ sessions: 'end' });
    await guard.start();
    const told = enter();
    state.fails = true;

    clock.nowMs += 79;
    const before = [...told];
    clock.nowMs += 1;
    await vi.waitFor(() => expect(told).toHaveLength(1), deadline);

    expect(before).toEqual([]);
    expect(told).toEqual([{ kind: 'control-unreadable' }]);
  });

  it('lifts no lock', async () => {
    const { guard, put, state } = await openPlace({ afterMs: 60_000 });
    await put(lockOf({ identity: 'bob' }));
    await guard.start();

    state.fails = true;

    expect(await guard.refusalOf(bob)).toMatchObject({ denyReason: 'locked' });
  });

  it('is of no interest to a gateway that stops', async () => {
    const { guard, state, reports, stop } = await openPlace();
    await guard.start();

    stop.abort();
    state.fails = true;
    await guard.refusalOf(bob);

    expect(reports).toEqual([]);
  });
});
