import { expect, test } from 'vitest';
import { openSpool } from '../../../proxy-task/recording/spool.ts';
import { folders, session } from './recording-fixture.ts';

test('channels of a session that end while others begin take nothing from under them', async () => {
  const { spoolDirectory } = folders();
  const spool = openSpool(spoolDirectory);
  const head = { sessionId: session, kind: 'exec', startedAtMs: 0, columns: 80, rows: 24, term: '' } as const;

  async function live(serial: number): Promise<void> {
    const channel = { sessionId: session, channel: `c${serial}` } as const;
    await spool.begin({ ...head, ...channel });
    await spool.append(channel, 0, Buffer.from('x\n'));
    await spool.remove(channel, 0);
    await spool.end(channel);
  }

  const lanes = Array.from({ length: 4 }, async (_, lane) => {
    for (let turn = 0; turn < 300; turn += 1) await live(1 + lane + 4 * turn);
  });
  await expect(Promise.all(lanes)).resolves.toHaveLength(4);
});
