import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type {
  ControlData,
  ControlItem,
  ControlKind,
  ControlStore,
  WatchOptions,
} from '../../core/contract/index.ts';
import { grantOf } from '../../core/grant/access-request.ts';
import { createSecurityKeyCounters } from '../../proxy-task/login/security-key-counters.ts';
import { request } from '../core/grant/sample-request.ts';

export const revocation: ControlData['revocation'] = {
  sessionId: 's-0123456789abcdef0123456789abcdef',
  by: 'runbook/SSH-002',
  message: 'ask the security team',
  atMs: 1,
};
const totp: ControlData['totp'] = { lastStep: 0, failures: 0, lockedUntilMs: 0 };
const any = { kind: 'any' } as const;
const absent = { kind: 'absent' } as const;
const version = (number: number) => ({ kind: 'version', version: number }) as const;
const deadline = { timeout: 5000, interval: 5 };

/** A store that is empty, opened again for each of several users of it; `now` is the clock of them all. */
export type ControlStores = { open(): Promise<ControlStore>; setNow(ms: number): void };

function watched<Kind extends ControlKind>(
  store: ControlStore,
  kind: Kind,
  options: Partial<WatchOptions<Kind>> = {},
): ControlItem<Kind>[] {
  const seen: ControlItem<Kind>[] = [];
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  store.watch(kind, {
    latencyMs: 20,
    signal: stop.signal,
    onChange: (item) => void seen.push(item),
    onFault: (error) => {
      throw error;
    },
    ...options,
  });
  return seen;
}

/** What every ControlStore does. */
export function controlStoreConformance(name: string, create: () => Promise<ControlStores>): void {
  describe(`${name} as a ControlStore`, () => {
    it('gives back what was put, with its version and expiry', async () => {
      const store = await (await create()).open();

      expect(await store.put('revocation', 'r1', revocation, any)).toBe(1);
      expect(await store.put('totp', 'r1', totp, any, 5000)).toBe(1);

      expect(await store.get('revocation', 'r1')).toEqual({
        kind: 'revocation',
        id: 'r1',
        version: 1,
        data: revocation,
      });
      expect(await store.get('totp', 'r1')).toMatchObject({ data: totp, expiresAtMs: 5000 });
      expect(await store.get('totp', 'r2')).toBeUndefined();
    });

    it('counts versions up by one at each put', async () => {
      const store = await (await create()).open();

      const versions = [];
      for (let put = 0; put < 3; put += 1) versions.push(await store.put('totp', 'a', totp, any));

      expect(versions).toEqual([1, 2, 3]);
    });

    it('puts only where the condition holds, and says so', async () => {
      const store = await (await create()).open();

      expect(await store.put('totp', 'a', totp, version(1))).toBeUndefined();
      expect(await store.put('totp', 'a', totp, version(0))).toBeUndefined();
      expect(await store.put('totp', 'a', totp, absent)).toBe(1);
      expect(await store.put('totp', 'a', { ...totp, failures: 9 }, absent)).toBeUndefined();
      expect(await store.put('totp', 'a', { ...totp, failures: 9 }, version(2))).toBeUndefined();
      expect((await store.get('totp', 'a'))?.data.failures).toBe(0);
      expect(await store.put('totp', 'a', { ...totp, failures: 1 }, version(1))).toBe(2);
      expect((await store.get('totp', 'a'))?.data.failures).toBe(1);
    });

    it('lets one of racing conditional puts win', async () => {
      const stores = await create();
      const users = await Promise.all([stores.open(), stores.open(), stores.open()]);

      const outcomes = await Promise.all(users.map((store) => store.put('totp', 'a', totp, absent)));

      expect(outcomes.filter((version) => version === 1)).toHaveLength(1);
      expect(outcomes.filter((version) => version === undefined)).toHaveLength(2);
    });

    it('lets gateways agree on the counter of a security key', async () => {
      const stores = await create();
      stores.setNow(1000);
      const users = await Promise.all([stores.open(), stores.open(), stores.open()]);
      const gateways = users.map((store) => createSecurityKeyCounters(store, () => 1000));
      const fingerprint = 'SHA256:2VxQzPb3kKqjY0tGZ5o3mT1w8hR4uC7sN6dLf/eAa+c';
      const checkEverywhere = (counter: number) =>
        Promise.all(gateways.map((gateway) => gateway.check(fingerprint, counter)));

      const first = await checkEverywhere(7);
      const behind = await checkEverywhere(6);
      const ahead = await checkEverywhere(107);

      for (const outcomes of [first, behind, ahead])
        expect(outcomes.toSorted()).toEqual(['accepted', 'repeated', 'repeated']);
      expect(await checkEverywhere(70)).toEqual(['behind', 'behind', 'behind']);
      expect((await users[0]?.get('counter', fingerprint))?.data).toEqual({
        highest: 107,
        seen: 0,
        atMs: 1000,
      });
    });

    it('keeps an enrolled factor and the proof of one', async () => {
      const stores = await create();
      const store = await stores.open();
      stores.setNow(1000);
      const factor = {
        secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ',
        enrolledAtMs: 1000,
        enrolledBy: 'carol',
        salt: '00ff',
        recoveryCodes: ['ab'.repeat(32), 'cd'.repeat(32)],
      };
      const proof = {
        identity: 'alice',
        keyFingerprint: 'SHA256:2VxQzPb3kKqjY0tGZ5o3mT1w8hR4uC7sN6dLf/eAa+c',
        sourceIp: '2001:db8::1',
        method: 'totp',
        atMs: 1000,
      };
      const id = `alice ${proof.keyFingerprint} ${proof.sourceIp}`;

      await store.put('factor', 'alice', factor, absent);
      await store.put('proof', id, proof, any, 2000);
      await store.put('totp', 'alice', { ...totp, driftSteps: -4 }, absent);

      expect((await store.get('factor', 'alice'))?.data).toEqual(factor);
      expect((await store.get('proof', id))?.data).toEqual(proof);
      expect((await store.get('totp', 'alice'))?.data.driftSteps).toBe(-4);
      stores.setNow(2000);
      expect(await store.get('proof', id)).toBeUndefined();
      await expect(store.put('totp', 'alice', { ...totp, driftSteps: 5 }, any)).rejects.toMatchObject({
        code: 'unwritable',
      });
    });

    it('counts what expired as absent', async () => {
      const stores = await create();
      const store = await stores.open();
      stores.setNow(1000);
      await store.put('totp', 'a', totp, any, 2000);
      await store.put('totp', 'b', totp, any);
      await store.put('totp', 'a', totp, any, 2000);

      stores.setNow(1999);
      expect((await store.get('totp', 'a'))?.version).toBe(2);
      stores.setNow(2000);

      expect(await store.get('totp', 'a')).toBeUndefined();
      expect((await store.list('totp')).map((item) => item.id)).toEqual(['b']);
      expect(await store.delete('totp', 'a')).toBe(false);
      expect(await store.put('totp', 'a', totp, { kind: 'version', version: 2 })).toBeUndefined();
      expect(await store.put('totp', 'a', totp, absent)).toBe(1);
      expect(await store.get('totp', 'a')).not.toHaveProperty('expiresAtMs');
    });

    it('lists a kind in the order of its ids', async () => {
      const store = await (await create()).open();
      const ids = ['b', 'a', 'ab', 'B', 'ä', '\u{1f600}', '\uff61', '__proto__'];
      for (const id of ids) await store.put('totp', id, totp, any);
      await store.put('revocation', 'other', revocation, any);

      const listed = (await store.list('totp')).map((item) => item.id);

      expect(listed).toEqual([...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    });

    it('deletes, once', async () => {
      const store = await (await create()).open();
      await store.put('totp', 'a', totp, any);

      expect(await store.delete('totp', 'a')).toBe(true);
      expect(await store.delete('totp', 'a')).toBe(false);
      expect(await store.get('totp', 'a')).toBeUndefined();
      expect(await store.put('totp', 'a', totp, absent)).toBe(1);
    });

    it('keeps text as it is, whatever it looks like', async () => {
      const store = await (await create()).open();
      const id = "'; DROP TABLE items; --";
      const message = 'line\nfeed \u001b[2J "quoted" \u{1f600} %s';

      await store.put('revocation', id, { ...revocation, message }, any);

      expect((await store.get('revocation', id))?.data.message).toBe(message);
    });

    it.each(['', 'x'.repeat(1025), 'nul\0', 'half\ud800'])('refuses the id %j', async (id) => {
      const store = await (await create()).open();

      await expect(store.put('totp', id, totp, any)).rejects.toMatchObject({ code: 'unwritable' });
    });

    it('keeps a field that need not be there, and its absence', async () => {
      const store = await (await create()).open();
      const action: ControlData['action'] = {
        runbookId: 'SSH-002',
        findingKey: 'k',
        action: 'revoke',
        atMs: 1,
        outcome: 'done',
        detail: '',
      };

      await store.put('action', 'once', action, any);
      await store.put('action', 'again', { ...action, attempts: 2 }, any);

      expect((await store.get('action', 'once'))?.data).toEqual(action);
      expect((await store.get('action', 'again'))?.data).toEqual({ ...action, attempts: 2 });
    });

    it('keeps requests for access and what they were granted, and lets one of racing decisions win', async () => {
      const stores = await create();
      const [one, other] = [await stores.open(), await stores.open()];
      const asked = request({ ticket: 'INC-421' });
      const decided = { by: 'bob', atMs: 5, reason: 'not now' };
      const review = { by: 'carol', atMs: 6, outcome: 'approved', reason: 'fine' } as const;
      const taken = request({ id: 'r-2', state: 'approved', breakGlass: true, review });

      await one.put('request', asked.id, asked, absent);
      await one.put('request', taken.id, taken, absent);
      await one.put('grant', 'g-1', grantOf(taken), absent);
      const versions = await Promise.all([
        one.put('request', asked.id, { ...asked, state: 'rejected', decided }, version(1)),
        other.put('request', asked.id, { ...asked, state: 'approved' }, version(1)),
      ]);

      expect((await other.get('request', taken.id))?.data).toEqual(taken);
      expect((await other.get('grant', 'g-1'))?.data).toEqual(grantOf(taken));
      expect(versions.filter((each) => each !== undefined)).toEqual([2]);
    });

    it('keeps whom a lock is about, and forgets the lock when it expires', async () => {
      const stores = await create();
      const store = await stores.open();
      const lock: ControlData['lock'] = {
        lockId: `l-${'1'.repeat(32)}`,
        selector: { identity: 'bob', source: '192.0.2.0/24' },
        message: 'ask the security team',
        author: 'runbook/SSH-005',
        createdAtMs: 1,
        expiresAtMs: 2000,
      };
      const everybody: ControlData['lock'] = {
        ...lock,
        lockId: `l-${'2'.repeat(32)}`,
        selector: { all: true },
      };
      stores.setNow(1000);

      await store.put('lock', lock.lockId, lock, absent, lock.expiresAtMs);
      await store.put('lock', everybody.lockId, everybody, absent);

      expect((await store.list('lock')).map(({ data }) => data)).toEqual([lock, everybody]);
      stores.setNow(2000);
      expect((await store.list('lock')).map(({ data }) => data)).toEqual([everybody]);
    });

    it('refuses data that is not of the kind', async () => {
      const store = await (await create()).open();

      const putting = store.put('totp', 'a', { ...totp, failures: -1 }, any);

      await expect(putting).rejects.toMatchObject({ code: 'unwritable' });
    });

    it('tells a watcher of puts after it began, of its kind, by anybody', async () => {
      const stores = await create();
      const [ours, theirs] = [await stores.open(), await stores.open()];
      await ours.put('revocation', 'before', revocation, any);
      const seen = watched(ours, 'revocation');

      await theirs.put('revocation', 'theirs', revocation, any);
      await theirs.put('totp', 'other', totp, any);
      await ours.put('revocation', 'ours', revocation, any);

      await vi.waitFor(() => expect(seen.map((item) => item.id)).toEqual(['theirs', 'ours']), deadline);
    });

    it('tells a watcher the newest item, again after each change', async () => {
      const stores = await create();
      const [ours, theirs] = [await stores.open(), await stores.open()];
      const seen = watched(ours, 'totp');

      for (let failures = 1; failures <= 20; failures += 1)
        await theirs.put('totp', 'a', { ...totp, failures }, any);

      await vi.waitFor(() => expect(seen.at(-1)?.data.failures).toBe(20), deadline);
      expect(seen.at(-1)?.version).toBe(20);
    });

    it('tells no watcher of the past after a delete', async () => {
      const stores = await create();
      const store = await stores.open();
      await store.put('totp', 'a', totp, any);
      const seen = watched(store, 'totp');

      await store.delete('totp', 'a');
      await store.put('totp', 'b', totp, any);

      await vi.waitFor(() => expect(seen).toHaveLength(1), deadline);
      expect(seen[0]?.id).toBe('b');
    });

    it('stops telling when the signal is given, and when it is closed', async () => {
      const stores = await create();
      const [first, second] = [await stores.open(), await stores.open()];
      const stop = new AbortController();
      const stopped = watched(first, 'totp', { signal: stop.signal });
      const closed = watched(second, 'totp');
      const running = watched(first, 'totp');

      stop.abort();
      await second.close();
      await first.put('totp', 'a', totp, any);

      await vi.waitFor(() => expect(running).toHaveLength(1), deadline);
      expect([...stopped, ...closed]).toEqual([]);
    });

    it('refuses everything after close, which may be called twice', async () => {
      const store = await (await create()).open();

      await store.close();
      await store.close();

      await expect(store.get('totp', 'a')).rejects.toMatchObject({ code: 'unreadable' });
      await expect(store.list('totp')).rejects.toMatchObject({ code: 'unreadable' });
      await expect(store.put('totp', 'a', totp, any)).rejects.toMatchObject({ code: 'unwritable' });
      await expect(store.delete('totp', 'a')).rejects.toMatchObject({ code: 'unwritable' });
    });
  });
}
