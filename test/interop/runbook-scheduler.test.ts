import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { loadInstallation } from '../../cli/installation.ts';
import { type RunbookScheduler, startRunbookScheduler } from '../../cli/runbook-scheduler.ts';
import { type Stack, startStack } from '../support/stack.ts';

describe('the scheduler of runbooks', () => {
  test('ends each session without a second factor soon after its start, also those that begin while a run is awaited', async () => {
    const stack = await startStack({ configuration: 'runbooks: { SSH-002: { mode: auto } }' });
    const { scheduler } = await schedule(stack);
    try {
      const sessions = [openSession(stack)];
      // The second begins after the first asked for its run and before that run looks.
      await sleep(1500);
      sessions.push(openSession(stack));

      await expect.poll(() => sessions.every(({ ended }) => ended()), { timeout: 20_000 }).toBe(true);

      expect(sessions.map(({ output }) => output().includes('SSH-002'))).toEqual([true, true]);
      const reasons = await stack.query("SELECT end_reason FROM events WHERE event_name = 'EndSession'");
      expect(reasons).toEqual([{ end_reason: 'Revoked' }, { end_reason: 'Revoked' }]);
    } finally {
      await scheduler.close();
      await stack.close();
    }
  });

  test('says what it would do where the configuration does not let it act, once, and does nothing', async () => {
    const stack = await startStack();
    const { scheduler, reports } = await schedule(stack);
    try {
      const session = openSession(stack);

      await expect
        .poll(() => reports.join('\n'), { timeout: 20_000 })
        .toContain('runbook SSH-002 (dry run) found');

      expect(reports.join('\n')).toContain('it would do evidence.snapshot, session.revoke');
      expect(session.ended()).toBe(false);
      session.stop();
    } finally {
      await scheduler.close();
      await stack.close();
    }
  });
});

async function schedule(
  stack: Stack,
): Promise<{ readonly scheduler: RunbookScheduler; readonly reports: string[] }> {
  const reports: string[] = [];
  const scheduler = await startRunbookScheduler({
    data: stack.data,
    installation: await loadInstallation(stack.data),
    running: stack.running,
    now: Date.now,
    report: (line) => reports.push(line),
  });
  return { scheduler, reports };
}

function openSession(stack: Stack) {
  const child: ChildProcess = spawn('ssh', [...stack.sshOptions, stack.destination(), 'sleep 60'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  let over = false;
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.once('close', () => {
    over = true;
  });
  return { ended: () => over, output: () => output, stop: () => child.kill('SIGTERM') };
}
