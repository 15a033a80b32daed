import type { QueryEngine } from '#core/contract';
import { ask, withLake } from '../../cli/lake-query.ts';
import { BenchError } from './bench-error.ts';
import { openSshPaths } from './ssh-paths.ts';
import { percentile } from './statistics.ts';
import type { Family } from './workbench.ts';

const commands = 20;
const deadlineMs = 30_000;

export const queryable: Family = {
  name: 'queryable',
  about: 'from the end of a command at the client to its event in the answer of a query',
  async measure(workbench) {
    const ssh = await openSshPaths(workbench);
    const seconds = await withLake(ssh.premises.data, async (engine) => {
      const measured: number[] = [];
      for (let index = 1; index <= commands; index += 1) {
        const command = `echo command-${index}`;
        await ssh.run('sshtrail', command);
        measured.push(await untilFound(engine, command));
      }
      return measured;
    });
    workbench.progress(`queryable: ${commands} commands, each found`);
    return [
      {
        name: 'event-to-queryable',
        unit: 's',
        measured: { kind: 'percentiles', p50: percentile(seconds, 0.5), p99: percentile(seconds, 0.99) },
        against: { kind: 'promise', bound: { direction: 'at-most', limit: 5 } },
      },
    ];
  },
};

/** Asks until the end of the command is in the answer; resolves with the seconds that took. */
async function untilFound(engine: QueryEngine, command: string): Promise<number> {
  const sql = `SELECT c.event_id FROM events c JOIN events x ON x.session_id = c.session_id
WHERE c.event_name = 'CompleteCommand' AND x.event_name = 'ExecuteCommand' AND x.command = '${command}'`;
  const started = performance.now();
  for (;;) {
    const { rows } = await ask(engine, sql, deadlineMs, 10);
    const elapsedMs = performance.now() - started;
    if (rows.length > 0) return elapsedMs / 1000;
    if (elapsedMs > deadlineMs)
      throw new BenchError('failed', `no query found the end of "${command}" within ${deadlineMs} ms`);
  }
}
