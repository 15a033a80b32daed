import { describe, expect, it, vi } from 'vitest';
import { openSqliteControlStore } from '../../../adapters/local/index.ts';
import { createAuditMeter } from '../../../proxy-task/task/audit-meter.ts';
import { startTaskDuties, type TaskDutiesOptions } from '../../../proxy-task/task/task-duties.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const task = { arn: 'arn', id: 'id', revision: 3, availabilityZone: '' };

async function withDuties(
  options: Partial<TaskDutiesOptions>,
  use: (parts: {
    readonly control: TaskDutiesOptions['control'];
    readonly wishes: boolean[];
    readonly notices: string[];
    readonly lines: string[];
  }) => Promise<void>,
): Promise<void> {
  const control = await openSqliteControlStore(`${temporaryFolder()}/control.db`, { now: Date.now });
  const wishes: boolean[] = [];
  const notices: string[] = [];
  const lines: string[] = [];
  const other = { proxyId: 'task-new', revision: 4, startedAtMs: Date.now() + 60_000 };
  if (options.maxDrainMs !== undefined) await control.put('gateway', other.proxyId, other, { kind: 'any' });
  const duties = startTaskDuties({
    task,
    proxyId: 'task-id',
    startedAtMs: Date.now(),
    control,
    protection: { update: async (wanted) => void wishes.push(wanted) },
    meter: createAuditMeter(),
    metricsNamespace: 'sshtrail',
    maxDrainMs: 3_600_000,
    sessionCount: () => 1,
    notice: (text) => notices.push(text),
    now: Date.now,
    write: (line) => lines.push(line),
    report: (line) => lines.push(line),
    ...options,
  });
  try {
    await vi.waitFor(() => expect(wishes.length).toBeGreaterThan(0));
    await use({ control, wishes, notices, lines });
  } finally {
    await duties.stop();
    await control.close();
  }
}

describe('startTaskDuties', () => {
  it('protects the task while it has sessions, and says that it is up', async () => {
    await withDuties({}, async ({ control, wishes, notices }) => {
      expect(wishes).toEqual([true]);
      expect((await control.get('gateway', 'task-id'))?.data.revision).toBe(3);
      expect(notices).toEqual([]);
    });
  });

  it('wants no protection without a session', async () => {
    await withDuties({ sessionCount: () => 0 }, async ({ wishes }) => {
      expect(wishes).toEqual([false]);
    });
  });

  it('tells its engineers when another revision has come, and keeps them until the drain is over', async () => {
    await withDuties({ maxDrainMs: 120_000 }, async ({ wishes, notices }) => {
      expect(notices).toEqual([expect.stringContaining('finish within 2 minutes')]);
      expect(wishes).toEqual([true]);
    });
  });

  it('lets go when the drain is over, whatever still lives', async () => {
    await withDuties({ maxDrainMs: 0 }, async ({ wishes }) => {
      expect(wishes).toEqual([false]);
    });
  });
});
