import type { ControlStore } from '#core/contract';
import type { AuditMeter } from './audit-meter.ts';
import { metricLine } from './metric-line.ts';
import type { TaskIdentity } from './task-identity.ts';
import type { TaskProtection } from './task-protection.ts';

/** What a task does by the clock, beside serving. */
export type TaskDuties = {
  /** Ends the duties and gives up the protection. */
  stop(): Promise<void>;
};

export type TaskDutiesOptions = {
  readonly task: TaskIdentity;
  readonly proxyId: string;
  readonly startedAtMs: number;
  readonly control: ControlStore;
  readonly protection: TaskProtection;
  readonly meter: AuditMeter;
  readonly metricsNamespace: string;
  readonly maxDrainMs: number;
  readonly sessionCount: () => number;
  /** Tells every engineer. */
  readonly notice: (text: string) => void;
  readonly now: () => number;
  /** A line of the log as it is. */
  readonly write: (line: string) => void;
  readonly report: (line: string) => void;
};

const tickMs = 15_000;
const presenceMs = 120_000;
const metricsMs = 60_000;

/**
 * Protects the task while it has sessions, says that it is up, and looks whether a task of another revision has come after it: then a
 * deployment waits for this one, so it tells its engineers, and gives the protection up when their time is over.
 */
export function startTaskDuties(options: TaskDutiesOptions): TaskDuties {
  const { task, proxyId, startedAtMs, control, now, report } = options;
  let supersededAtMs: number | undefined;
  let metricsAtMs = now();
  let underWay: Promise<void> | undefined;

  async function tick(): Promise<void> {
    const atMs = now();
    await control.put(
      'gateway',
      proxyId,
      { proxyId, revision: task.revision, startedAtMs },
      { kind: 'any' },
      atMs + presenceMs,
    );
    if (supersededAtMs === undefined && (await hasSuccessor())) {
      supersededAtMs = atMs;
      const minutes = Math.round(options.maxDrainMs / 60_000);
      report(`a newer task is up; sessions here may go on for ${minutes} minutes`);
      options.notice(
        `this gateway is being replaced: finish within ${minutes} minutes, then connect again; a new connection may go to the new one at any time`,
      );
    }
    const drained = supersededAtMs !== undefined && atMs - supersededAtMs >= options.maxDrainMs;
    await options.protection.update(options.sessionCount() > 0 && !drained);
  }

  async function hasSuccessor(): Promise<boolean> {
    const others = await control.list('gateway');
    return others.some(({ data }) => data.revision !== task.revision && data.startedAtMs > startedAtMs);
  }

  function writeMetrics(): void {
    if (now() - metricsAtMs < metricsMs) return;
    metricsAtMs = now();
    const sessions = { name: 'Sessions', unit: 'Count', value: options.sessionCount() } as const;
    const metrics = [sessions, ...options.meter.take()];
    options.write(metricLine(options.metricsNamespace, { Service: 'gateway' }, metrics, now()));
  }

  function run(): void {
    writeMetrics();
    underWay ??= tick()
      .catch((error: unknown) =>
        report(
          `the control table could not be used: ${error instanceof Error ? error.message : 'unknown fault'}`,
        ),
      )
      .finally(() => {
        underWay = undefined;
      });
  }

  run();
  const timer = setInterval(run, tickMs);
  return {
    async stop() {
      clearInterval(timer);
      await underWay;
      await control.delete('gateway', proxyId).catch((error: unknown) => {
        report(
          `the task's presence stays until it expires: ${error instanceof Error ? error.message : 'unknown fault'}`,
        );
      });
      await options.protection.update(false);
    },
  };
}
