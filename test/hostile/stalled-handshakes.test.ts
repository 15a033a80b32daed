import { expect, test } from 'vitest';
import { forkGateway } from '../support/forked-gateway.ts';
import { prepareGateway } from '../support/prepared-gateway.ts';
import { run } from '../support/run.ts';
import { startStalledLoad } from '../support/stalled-load.ts';

const perStep = 1000;
/** gateway.maxStartups.full, as it is by default. */
const mostAtOnce = 1000;
const mebibyte = 1024 * 1024;

test('ten thousand connections that stop at each step of the handshake cost little, and a good client gets in beside them', async () => {
  const prepared = await prepareGateway({
    gatewayConfiguration: ['maxSessions: 20000', 'loginGraceSeconds: 600'],
    unlimitedStarts: true,
  });
  const gateway = forkGateway(prepared.data.root);
  try {
    const port = await gateway.port;
    const logIn = () =>
      run('ssh', [...prepared.sshOptions(port), prepared.destination(), 'echo in'], { timeoutMs: 20_000 });
    expect((await logIn()).stdout.toString()).toBe('in\n');
    const before = await gateway.memory();

    const load = await startStalledLoad(port, perStep);
    try {
      const during = await gateway.memory();
      const beside = await logIn();

      expect(load.held).toBeLessThanOrEqual(mostAtOnce);
      expect(load.held).toBeGreaterThan(mostAtOnce / 2);
      expect(beside.stdout.toString(), beside.stderr).toBe('in\n');
      // All of them held would be a gigabyte. What they may cost, to the mebibyte, is the bench's to judge.
      expect((during.resident - before.resident) / mebibyte).toBeLessThan(200);
    } finally {
      await load.stop();
    }
    const [first] = await prepared.eventually(
      "SELECT error_code, source_ip FROM events WHERE event_name = 'RefuseConnection' AND deny_reason = 'too-many-unauthenticated' ORDER BY chain_seq",
    );
    expect(first).toMatchObject({ error_code: 'SessionLimitExceeded' });
    expect(gateway.reports).toEqual([]);
  } finally {
    await gateway.close();
    await prepared.remove();
  }
}, 180_000);
