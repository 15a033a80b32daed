import { beforeEach, describe, expect, test } from 'vitest';
import type { AccessGrant, ControlStore, Target } from '#core/contract';
import type { PolicySet } from '#core/policy';
import { createHeldGrants } from '../../proxy-task/grants/held-grants.ts';
import { createSessionAccess } from '../../proxy-task/session-access.ts';
import { policyOf } from '../core/policy/requests.ts';
import { memoryControlStore } from '../core/runbook/fakes.ts';

const clock = { nowMs: 1_795_169_730_412 };
const startMs = clock.nowMs;
const target: Target = {
  name: 'db-1',
  host: '192.0.2.17',
  port: 22,
  labels: { env: 'prod' },
  hostTrust: { kind: 'pinned', keys: [] },
};
const policy = policyOf(
  `@id("connect") permit (principal, action == Action::"connect", resource);`,
  `@id("shell") permit (principal, action == Action::"shell", resource) when { context.approved };`,
  `@id("exec") permit (principal, action in [Action::"exec", Action::"command"], resource) when { context.approvals >= 2 };`,
);
let control: ControlStore;
let reads: string[];

beforeEach(() => {
  clock.nowMs = startMs;
  control = memoryControlStore(clock);
  reads = [];
});

function access({
  policies = () => policy,
  mfaAtMs,
}: {
  readonly policies?: () => PolicySet;
  readonly mfaAtMs?: number;
} = {}) {
  const now = () => clock.nowMs;
  const grants = createHeldGrants({
    control: {
      get: (kind, id) => {
        reads.push('get');
        return control.get(kind, id);
      },
      list: (kind) => {
        reads.push('list');
        return control.list(kind);
      },
    },
    holder: { identity: 'alice', target: 'db-1', login: 'postgres' },
    now,
  });
  return createSessionAccess({
    policy: policies,
    engineer: {
      user: 'postgres@db-1',
      identity: { name: 'alice', principalId: 'alice', type: 'person', groups: [] },
      authMethod: 'publickey',
      keyFingerprint: 'SHA256:x',
      mfa:
        mfaAtMs === undefined
          ? { verified: false, method: 'none' }
          : { verified: true, method: 'totp', atMs: mfaAtMs },
    },
    target,
    login: 'postgres',
    sourceIp: '192.0.2.1',
    grants,
    now,
  });
}

async function grant(changes: Partial<AccessGrant> = {}): Promise<void> {
  const each: AccessGrant = {
    id: 'g-1',
    requestId: 'r-1',
    identity: 'alice',
    target: 'db-1',
    login: 'postgres',
    actions: ['*'],
    fromMs: startMs,
    untilMs: startMs + 60_000,
    approvedBy: ['bob'],
    breakGlass: false,
    ...changes,
  };
  await control.put('grant', each.id, each, { kind: 'any' });
}

const shell = { kind: 'shell' } as const;
const isAllowed = async (asked: ReturnType<typeof access>) => (await asked.decideAnew(shell)).allowed;

describe('a question at which something begins', () => {
  test('is answered by the grants as they are at that moment', async () => {
    const asked = access();

    const before = await isAllowed(asked);
    await grant();
    const during = await isAllowed(asked);
    await grant({ untilMs: startMs });
    const ended = await isAllowed(asked);

    expect([before, during, ended]).toEqual([false, true, false]);
  });

  test('is denied from the moment on at which the time is over, whatever was read before', async () => {
    await grant();
    const asked = access();
    await isAllowed(asked);

    clock.nowMs = startMs + 59_999;
    expect(asked.decide(shell).allowed).toBe(true);
    clock.nowMs = startMs + 60_000;
    expect(asked.decide(shell).allowed).toBe(false);
    expect(await isAllowed(asked)).toBe(false);
  });

  test('reads nothing where policy allows it without, or would not allow it with', async () => {
    const asked = access();

    await asked.decideAnew({ kind: 'connect' });
    await asked.decideAnew({ kind: 'forwardAgent' });

    expect(reads).toEqual([]);
  });

  test('is not helped by approvals of two grants', async () => {
    await grant();
    await grant({ id: 'g-2', approvedBy: ['carol'] });

    const decision = await access().decideAnew({ kind: 'exec', command: 'id' });

    expect(decision.allowed).toBe(false);
  });
});

describe('what leans on a grant', () => {
  test('is nothing where the same was allowed without', async () => {
    await grant();
    const asked = access();

    await asked.decideAnew({ kind: 'connect' });

    expect(asked.leansOn).toBeUndefined();
    expect(await asked.stillGranted()).toBe(true);
  });

  test('is told once, and is over with it', async () => {
    await grant();
    const asked = access();
    let told = 0;
    asked.onLean = () => {
      told += 1;
    };

    await asked.decideAnew(shell);
    await asked.decideAnew(shell);
    const during = await asked.stillGranted();
    clock.nowMs = startMs + 60_000;
    const over = await asked.stillGranted();

    expect([told, asked.leansOn?.id, during, over]).toEqual([1, 'g-1', true, false]);
  });

  test('goes on with another grant in its place', async () => {
    await grant();
    const asked = access();
    await asked.decideAnew(shell);

    clock.nowMs = startMs + 60_000;
    await grant({ id: 'g-2', fromMs: clock.nowMs, untilMs: clock.nowMs + 1000 });

    expect(await asked.stillGranted()).toBe(true);
  });

  test('goes on where the store cannot be read, and no longer than its time', async () => {
    await grant();
    const asked = access();
    await asked.decideAnew(shell);
    control = { ...control, get: () => Promise.reject(new Error('unreadable')) };

    await expect(asked.stillGranted()).rejects.toThrow('unreadable');
    expect(asked.decide(shell).allowed).toBe(true);
    clock.nowMs = startMs + 60_000;
    expect(asked.decide(shell).allowed).toBe(false);
  });
});

describe('a connection that is asked about again', () => {
  const permit = `@id("connect") permit (principal, action == Action::"connect", resource);`;
  const none = async () => 0;

  /** Logged in by the first policies; the second ones are in force when it is asked about again, an hour later. */
  async function changed(before: string[], after: string[], mfaAtMs?: number) {
    let inForce = policyOf(...before);
    const asked = access({
      policies: () => inForce,
      ...(mfaAtMs === undefined ? {} : { mfaAtMs }),
    });
    expect((await asked.decideAnew({ kind: 'connect' })).allowed).toBe(true);
    expect(asked.isCurrent).toBe(true);
    clock.nowMs = startMs + 3_600_000;
    inForce = policyOf(...after);
    expect(asked.isCurrent).toBe(false);
    return asked;
  }

  test('is judged by the policies of now, once', async () => {
    const forbid = `@id("no-root") @advice("ask for another account") forbid (principal, action, resource) when { context.login == "postgres" };`;
    const asked = await changed([permit], [permit, forbid]);

    const decision = await asked.connectAgain(none);

    expect(decision).toMatchObject({
      allowed: false,
      policyIds: ['no-root'],
      message: expect.stringMatching(/no-root.*ask for another account/),
    });
    expect(asked.isCurrent).toBe(true);
  });

  test('has the second factor of its login as old as it was then, however strict the new policies are', async () => {
    const fresh = (seconds: number) =>
      `@id("fresh") permit (principal, action, resource) when { context.mfa && context.mfaAgeSeconds < ${seconds} };`;

    const aged = await changed([fresh(900)], [fresh(600)], startMs - 300_000);
    const neverFresh = await changed([fresh(900)], [fresh(200)], startMs + 3_300_000);

    expect((await aged.connectAgain(none)).allowed).toBe(true);
    expect((await neverFresh.connectAgain(none)).allowed).toBe(false);
  });

  test('is judged by the hour of now', async () => {
    const hour = new Date(startMs).getUTCHours();
    const asked = await changed(
      [permit],
      [`@id("hour") permit (principal, action, resource) when { context.hour == ${hour} };`],
    );

    expect((await asked.connectAgain(none)).allowed).toBe(false);
  });

  test('counts the sessions that began before it, where the new policies read that', async () => {
    const few = `@id("few") permit (principal, action, resource) when { context has sessionCount && context.sessionCount < 2 };`;
    const asked = await changed([permit], [few]);

    expect((await asked.connectAgain(async () => 1)).allowed).toBe(true);
    expect((await asked.connectAgain(async () => 2)).allowed).toBe(false);
  });

  test('leans on a grant from then on, where the new policies want one and there is one', async () => {
    const approved = `@id("approved") permit (principal, action, resource) when { context.approved };`;
    await grant({ untilMs: startMs + 7_200_000 });
    const asked = await changed([permit], [approved]);
    const without = await changed([permit], [approved.replace('approved }', 'approvals > 1 }')]);

    expect((await asked.connectAgain(none)).allowed).toBe(true);
    expect(asked.leansOn?.id).toBe('g-1');
    expect((await without.connectAgain(none)).allowed).toBe(false);
  });

  test('ends with its grant also where its second factor has grown old meanwhile', async () => {
    const both = `@id("both") permit (principal, action, resource) when { context.approved && context.mfaAgeSeconds < 900 };`;
    await grant({ untilMs: startMs + 60_000 });
    const asked = await changed([both], [both], startMs);

    expect(await asked.stillGranted()).toBe(false);
  });
});
