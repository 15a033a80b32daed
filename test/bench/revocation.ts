import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openSqliteControlStore } from '#adapters/local';
import type { ControlStore } from '#core/contract';
import { BenchError } from './bench-error.ts';
import type { Child } from './child.ts';
import { openLoad } from './load.ts';
import { lockOne } from './lock.ts';
import { preciseNowMs } from './messages.ts';
import { percentile } from './statistics.ts';
import type { Family, Workbench } from './workbench.ts';

const sessions = 1000;
const revoked = 100;
const deadlineMs = 30_000;

export const revocation: Family = {
  name: 'revocation',
  about: `${revoked} of ${sessions} sessions are revoked in the control store by another process: from the write to the client's end; then one identity that has as many of them on two workers is locked`,
  async measure(workbench) {
    const load = await openLoad(subfolder(workbench, 'one'));
    const { premises, client } = load;
    await load.open(sessions);
    const control = await openSqliteControlStore(premises.data.control, { now: Date.now });
    workbench.defer(() => control.close());
    workbench.progress(`revocation: ${sessions} sessions open, ${revoked} get revoked`);
    const seconds = await revokeSome(control, client);
    await load.close();
    const locked = await lockOne(subfolder(workbench, 'two'), {
      locked: revoked,
      others: sessions - revoked,
    });
    return [
      {
        name: 'lock-to-closed',
        unit: 's',
        measured: { kind: 'percentiles', p50: percentile(seconds, 0.5), p99: percentile(seconds, 0.99) },
        against: promise,
      },
      {
        name: 'lock-of-one-identity',
        unit: 's',
        measured: { kind: 'percentiles', p50: percentile(locked, 0.5), p99: percentile(locked, 0.99) },
        against: promise,
      },
    ];
  },
};

const promise = { kind: 'promise', bound: { direction: 'at-most', limit: 1.5 } } as const;

function subfolder(workbench: Workbench, name: string): Workbench {
  const folder = join(workbench.folder, name);
  mkdirSync(folder);
  return { ...workbench, folder };
}

/** Seconds from the beginning of each write to the end of its connection, which names the session. */
async function revokeSome(control: ControlStore, client: Child): Promise<readonly number[]> {
  const chosen = (await control.list('session')).filter((_, index) => index % (sessions / revoked) === 0);
  const writtenAtMs = new Map<string, number>();
  const endedAtMs = new Map<string, number>();
  const all = Promise.withResolvers<void>();
  const timer = setTimeout(
    () =>
      all.reject(
        new BenchError(
          'failed',
          `${endedAtMs.size} of ${revoked} sessions ended within ${deadlineMs} ms of their revocation`,
        ),
      ),
    deadlineMs,
  );
  const unlisten = client.listen((answer) => {
    const id = answer.kind === 'ended' ? /s-[0-9a-f]{32}/.exec(answer.description)?.[0] : undefined;
    if (answer.kind !== 'ended' || id === undefined) return;
    endedAtMs.set(id, answer.atMs);
    if (endedAtMs.size === revoked) all.resolve();
  });
  try {
    for (const { id } of chosen) {
      writtenAtMs.set(id, preciseNowMs());
      const what = {
        sessionId: id,
        by: 'bench',
        message: 'the benchmark ends this session',
        atMs: Date.now(),
      };
      await control.put('revocation', id, what, { kind: 'any' });
    }
    await all.promise;
  } finally {
    clearTimeout(timer);
    unlisten();
  }
  return [...endedAtMs].map(([id, at]) => (at - (writtenAtMs.get(id) ?? Number.NaN)) / 1000);
}
