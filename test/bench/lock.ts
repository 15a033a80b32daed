import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSqliteControlStore } from '#adapters/local';
import type { ControlStore } from '#core/contract';
import { BenchError } from './bench-error.ts';
import { type Child, startChild } from './child.ts';
import { targetName } from './gateway.ts';
import { inFlight, openLoad } from './load.ts';
import { preciseNowMs } from './messages.ts';
import type { Workbench } from './workbench.ts';

const deadlineMs = 30_000;
const openDeadlineMs = 600_000;

/**
 * Locks one of two identities whose sessions two workers have, and gives the seconds from the write to the end of each of that
 * identity's connections. Fails where a session of the other one ends.
 */
export async function lockOne(
  workbench: Workbench,
  count: { readonly locked: number; readonly others: number },
): Promise<readonly number[]> {
  const load = await openLoad(workbench, 2);
  const { premises, gateway, client } = load;
  await load.open(count.others);
  const guest = await startChild('load-process.ts', [premises.guestKeyFile]);
  workbench.defer(() => guest.stop());
  const user = `${userInfo().username}@${targetName}`;
  const order = { kind: 'open' as const, count: count.locked, inFlight, ports: [gateway.port], user };
  await guest.ask(order, 'opened', openDeadlineMs);
  const control = await openSqliteControlStore(premises.data.control, { now: Date.now });
  workbench.defer(() => control.close());
  workbench.progress(
    `revocation: ${count.others + count.locked} sessions open on two workers, one identity with ${count.locked} of them gets locked`,
  );
  const seconds = await secondsToEnd(control, guest, client, count.locked);
  // Their ends are on record a little after their clients have heard of them.
  const deadline = Date.now() + deadlineMs;
  while ((await control.list('session')).length > count.others && Date.now() < deadline) await sleep(20);
  const left = (await control.list('session')).length;
  if (left !== count.others)
    throw new BenchError('failed', `${left} sessions are open after the lock, not ${count.others}`);
  await load.close();
  return seconds;
}

async function secondsToEnd(
  control: ControlStore,
  guest: Child,
  other: Child,
  locked: number,
): Promise<readonly number[]> {
  const endedAtMs: number[] = [];
  const all = Promise.withResolvers<void>();
  const timer = setTimeout(
    () =>
      all.reject(
        new BenchError(
          'failed',
          `${endedAtMs.length} of ${locked} sessions ended within ${deadlineMs} ms of the lock`,
        ),
      ),
    deadlineMs,
  );
  const unlisten = [
    guest.listen((answer) => {
      if (answer.kind === 'ended' && endedAtMs.push(answer.atMs) === locked) all.resolve();
    }),
    other.listen((answer) => {
      if (answer.kind === 'ended')
        all.reject(new BenchError('failed', `a session of another identity ended: ${answer.description}`));
    }),
  ];
  const writtenAtMs = preciseNowMs();
  try {
    const lock = {
      lockId: `l-${'0'.repeat(32)}`,
      selector: { identity: 'guest' },
      message: 'the benchmark locks this identity',
      author: 'bench',
      createdAtMs: Date.now(),
    };
    await control.put('lock', lock.lockId, lock, { kind: 'absent' });
    await all.promise;
  } finally {
    clearTimeout(timer);
    for (const stop of unlisten) stop();
  }
  return endedAtMs.map((at) => (at - writtenAtMs) / 1000);
}
