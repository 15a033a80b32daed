import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { Gateway } from '../../../proxy-task/gateway.ts';
import { type SupervisorOptions, superviseWorkers } from '../../../proxy-task/workers/index.ts';
import { policyOf } from '../../core/policy/requests.ts';
import { run } from '../../support/run.ts';

const first = '@id("first") permit (principal, action, resource);';
const running: Gateway[] = [];
afterEach(async () => {
  for (const gateway of running.splice(0)) await gateway.close('the test has ended');
});

type Told = { readonly reports: string[]; readonly lost: string[] };

async function supervise(
  fault: (number: number) => string,
  options: Partial<SupervisorOptions> = {},
): Promise<Told & { readonly gateway: Gateway }> {
  const told: Told = { reports: [], lost: [] };
  const gateway = await superviseWorkers({
    count: 2,
    module: join(import.meta.dirname, 'small-worker.ts'),
    host: '127.0.0.1',
    port: 0,
    environment: (number, port) => ({ SMALL_PORT: `${port}`, SMALL_FAULT: fault(number) }),
    closeLost: async (number, how) => void told.lost.push(`${number}: ${how}`),
    onRecord: () => undefined,
    policies: policiesThat().policies,
    report: (line) => told.reports.push(line),
    ...options,
  });
  running.push(gateway);
  return { ...told, gateway };
}

const fine = () => '';

/** Policies in force that a test changes. */
function policiesThat() {
  let current = policyOf(first);
  let problem: string | undefined;
  const listeners: (() => void)[] = [];
  return {
    policies: {
      current: () => current,
      onChange: (listener: () => void) => void listeners.push(listener),
      problem: () => problem,
    },
    change(...texts: readonly string[]) {
      current = policyOf(...texts);
      for (const listener of listeners) listener();
    },
    spoil(why: string) {
      problem = why;
    },
  };
}

describe('processes that share a port', () => {
  test('each take connections, and are counted together', async () => {
    const { gateway } = await supervise(fine);

    const pids = await until(
      () => pidsBehind(gateway),
      (found) => found.size === 2,
    );

    expect(pids.has(process.pid)).toBe(false);
    expect(
      await until(
        async () => gateway.sessionCount,
        (count) => count > 7,
      ),
    ).toBe(14);
  });

  test('are replaced when they die, once what they left was closed', async () => {
    const { gateway, lost, reports } = await supervise(fine);
    const before = await until(
      () => pidsBehind(gateway),
      (found) => found.size === 2,
    );
    const [killed = 0, other = 0] = before;

    process.kill(killed, 'SIGKILL');
    const after = await until(
      () => pidsBehind(gateway),
      (found) => found.size === 2 && !found.has(killed),
    );

    expect(after.has(other)).toBe(true);
    expect(lost).toHaveLength(1);
    expect(lost[0]).toMatch(/^[12]: SIGKILL$/);
    expect(reports[0]).toMatch(/^worker [12] has died \(SIGKILL\); what it left is being closed$/);
  });

  test('keep their port when all of them die at once', async () => {
    const { gateway } = await supervise(fine);
    const before = await until(
      () => pidsBehind(gateway),
      (found) => found.size === 2,
    );

    for (const pid of before) process.kill(pid, 'SIGKILL');
    const after = await until(
      () => pidsBehind(gateway),
      (found) => found.size === 2 && [...before].every((pid) => !found.has(pid)),
    );

    expect(after.size).toBe(2);
  });

  test('are killed when they hang', async () => {
    const { gateway, reports } = await supervise(fine, { silentMs: 2_500 });
    const [hanging = 0] = await until(
      () => pidsBehind(gateway),
      (found) => found.size === 2,
    );

    process.kill(hanging, 'SIGSTOP');
    await until(
      async () => reports,
      (lines) => lines.length >= 2,
    );

    expect(reports[0]).toMatch(/^worker [12] has not answered for 3 s, so it is killed$/);
    expect(reports[1]).toMatch(/has died \(SIGKILL\)/);
  });

  test('that die before they listen are an error which says what they said, and leave no process', async () => {
    const reports: string[] = [];

    const starting = supervise((number) => (number === 2 ? 'dies-at-once' : ''), {
      report: (line) => reports.push(line),
    });

    await expect(starting).rejects.toThrow('worker 2 ended before it listened (exit code 3)');
    expect(reports).toEqual([
      'worker 2: there is no such folder',
      'worker 1: closed: a worker could not be started',
    ]);
  });

  test('hear notices, take nothing more when told so, and close in order', async () => {
    const { gateway, reports, lost } = await supervise(fine);

    gateway.notice('we move');
    await until(
      async () => reports,
      (lines) => lines.length === 2,
    );
    gateway.stopAccepting();
    await until(
      () => pidsBehind(gateway),
      (found) => found.size === 0,
    );
    await gateway.close('enough');

    expect([...reports].sort()).toEqual([
      'worker 1: closed: enough',
      'worker 1: noticed: we move',
      'worker 2: closed: enough',
      'worker 2: noticed: we move',
    ]);
    expect(lost).toEqual([]);
  });

  test('have the policies in force here, as soon as others are, and also when they start while no others can be used', async () => {
    const { policies, change, spoil } = policiesThat();
    const { gateway, reports } = await supervise(fine, { policies });
    const before = await until(
      () => answersOf(gateway),
      (found) => found.size === 2,
    );

    change(first, '@id("second") forbid (principal, action, resource) when { context.mfa };');
    const after = await until(
      () => answersOf(gateway),
      (found) => found.size === 2 && [...found.values()].every((ids) => ids === 'first,second'),
    );
    spoil('policy.cedar:2:1 there is no such thing');
    const [killed = 0] = after.keys();
    process.kill(killed, 'SIGKILL');
    const replaced = await until(
      () => answersOf(gateway),
      (found) => found.size === 2 && !found.has(killed),
    );

    expect([...before.values()]).toEqual(['first', 'first']);
    expect([...replaced.values()]).toEqual(['first,second', 'first,second']);
    expect(reports.at(-1)).toMatch(
      /^worker [12] starts again with the policies in force, since .*\npolicy\.cedar:2:1 there/,
    );
  });

  test('take policies from nobody else, and hand none to each other', async () => {
    const module = join(import.meta.dirname, 'small-worker.ts');
    const alone = await run(process.execPath, [module], { env: { SMALL_PORT: '0' } });
    const { gateway, reports } = await supervise((number) => (number === 1 ? 'hands-policies' : ''));

    const answers = await until(
      () => answersOf(gateway),
      (found) => found.size === 2,
    );

    expect(alone.code).toBe(1);
    expect(alone.stderr).toContain('a worker has its policies from its supervisor');
    expect([...answers.values()]).toEqual(['first', 'first']);
    expect(reports).toEqual([]);
  });

  test('that do not close in time are killed, and what they left is closed', async () => {
    const { gateway, lost } = await supervise((number) => (number === 1 ? 'never-closes' : ''), {
      closeWithinMs: 500,
    });

    await gateway.close('enough');

    expect(lost).toEqual(['1: SIGKILL']);
  });
});

/** The processes that answer some connections in a row. */
async function pidsBehind(gateway: Gateway): Promise<ReadonlySet<number>> {
  return new Set((await answersOf(gateway)).keys());
}

/** The policies that each of them has, by process. */
async function answersOf(gateway: Gateway): Promise<ReadonlyMap<number, string>> {
  const answers = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const socket = connect(gateway.address);
      try {
        const [pid, ids = ''] = (await text(socket)).trim().split(' ');
        return [Number(pid), ids] as const;
      } catch {
        return [0, ''] as const;
      }
    }),
  );
  return new Map(answers.filter(([pid]) => pid > 0));
}

async function until<T>(look: () => Promise<T>, done: (seen: T) => boolean): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const seen = await look();
    if (done(seen)) return seen;
    if (Date.now() > deadline) throw new Error('not within 20 s');
    await sleep(50);
  }
}
