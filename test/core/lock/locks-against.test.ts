import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LockSelector } from '../../../core/contract/index.ts';
import { createLockRegister, fits, lockRefusal } from '../../../core/lock/index.ts';
import { locksAgainst } from '../../../core/lock/locks-against.ts';
import { anyFacts, anySelector, bob, lockOf } from './sample-locks.ts';

describe('a lock', () => {
  it.each<[string, LockSelector, boolean]>([
    ['ok/identity', { identity: 'bob' }, true],
    ['ok/key', { keyFingerprint: bob.keyFingerprint }, true],
    ['ok/certificate', { certificateSerial: '7' }, true],
    ['ok/session', { sessionId: bob.sessionId }, true],
    ['ok/target', { target: 'web-1' }, true],
    ['ok/login', { login: 'deploy' }, true],
    ['ok/address', { source: '192.0.2.10' }, true],
    ['ok/range', { source: '192.0.2.0/24' }, true],
    ['ok/everybody', { all: true }, true],
    ['ok/all that is said', { identity: 'bob', target: 'web-1', source: '192.0.2.0/24' }, true],
    ['fail/another identity', { identity: 'alice' }, false],
    ['fail/the identity in capitals', { identity: 'BOB' }, false],
    ['fail/one of two', { identity: 'bob', target: 'db-1' }, false],
    ['fail/the other of two', { target: 'web-1', source: '203.0.113.0/24' }, false],
    ['fail/nothing said', {}, false],
  ])('%s', (_, selector, expected) => {
    expect(fits(selector, bob)).toBe(expected);
  });

  it('of a target fits nobody whose target is not known', () => {
    const { target: _target, login: _login, ...outer } = bob;

    expect(fits({ target: 'web-1' }, outer)).toBe(false);
    expect(fits({ identity: 'bob', login: 'deploy' }, outer)).toBe(false);
    expect(fits({ identity: 'bob' }, outer)).toBe(true);
  });

  it('holds until the moment it expires', () => {
    const lock = lockOf({ identity: 'bob' }, { expiresAtMs: 2_000 });

    expect(locksAgainst([lock], bob, 1_999)).toEqual([lock]);
    expect(locksAgainst([lock], bob, 2_000)).toEqual([]);
  });

  it('that is oldest comes first', () => {
    const younger = lockOf({ identity: 'bob' }, { createdAtMs: 2_000 });
    const older = lockOf({ target: 'web-1' }, { createdAtMs: 1_000 });

    expect(locksAgainst([younger, older], bob, 3_000)).toEqual([older, younger]);
  });

  it('tells the engineer its message and id, and nothing that moves a cursor', () => {
    const lock = lockOf({ identity: 'bob' }, { message: 'gone\u001b[2J\r\nroot# ' });

    expect(lockRefusal(lock)).toEqual({
      errorCode: 'AccessDenied',
      denyReason: 'locked',
      message: `gone\\u{1b}[2J\\u{d}\\u{a}root#  (lock ${lock.lockId})`,
      lockId: lock.lockId,
    });
  });
});

describe('the register', () => {
  it('finds for anybody what a look at every lock finds', () => {
    fc.assert(
      fc.property(fc.array(anySelector, { maxLength: 30 }), anyFacts, (selectors, facts) => {
        const register = createLockRegister<string>();
        const locks = selectors.map((selector) => lockOf(selector));
        for (const lock of locks) register.put(lock, 0);

        expect(register.against(facts, 0)).toEqual(locksAgainst(locks, facts, 0));
      }),
    );
  });

  it('finds for any lock whom a look at everybody finds', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyFacts, { maxLength: 20, selector: ({ sessionId }) => sessionId }),
        anySelector,
        (everybody, selector) => {
          const register = createLockRegister<string>();
          for (const facts of everybody) register.enter(facts, facts.sessionId);

          const found = register.put(lockOf(selector), 0);

          const expected = everybody.filter((facts) => fits(selector, facts));
          expect([...found].sort()).toEqual(expected.map(({ sessionId }) => sessionId).sort());
        },
      ),
    );
  });

  it('forgets who left, and tells of a lock once', () => {
    const register = createLockRegister<string>();
    register.enter(bob, 'bob');
    const lock = lockOf({ source: '192.0.2.0/24' });

    expect(register.put(lock, 0)).toEqual(['bob']);
    expect(register.put(lock, 0)).toEqual([]);
    register.leave(bob.sessionId);
    register.leave(bob.sessionId);

    expect([...register.people]).toEqual([]);
    expect(register.put(lockOf({ all: true }), 0)).toEqual([]);
    expect(register.put(lockOf({ sessionId: bob.sessionId }), 0)).toEqual([]);
  });

  it('forgets a lock that was removed, and tells nobody of one that has expired', () => {
    const register = createLockRegister<string>();
    const [lifted, expired] = [lockOf({ identity: 'bob' }), lockOf({ all: true }, { expiresAtMs: 10 })];
    register.put(lifted, 0);
    register.enter(bob, 'bob');

    register.remove(lifted.lockId);
    register.remove('l-unknown');

    expect(register.put(expired, 10)).toEqual([]);
    expect(register.against(bob, 10)).toEqual([]);
    expect([...register.lockIds]).toEqual([expired.lockId]);
  });

  it('takes a newcomer under an id for the one before', () => {
    const register = createLockRegister<string>();
    register.enter(bob, 'first');
    register.enter({ ...bob, identity: 'alice' }, 'second');

    expect(register.put(lockOf({ identity: 'bob' }), 0)).toEqual([]);
    expect(register.put(lockOf({ identity: 'alice' }), 0)).toEqual(['second']);
  });
});
