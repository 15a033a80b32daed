import { availableParallelism } from 'node:os';
import { drainGateway } from '../drain.ts';
import type { Gateway } from '../gateway.ts';
import { startHealthServer } from './health-server.ts';
import { openTask, serveTask, type TaskOptions } from './serve-task.ts';
import { superviseTask } from './supervise-task.ts';
import { startTaskDuties } from './task-duties.ts';
import { createTaskProtection } from './task-protection.ts';

export type RunningTask = {
  readonly address: Gateway['address'];
  readonly healthPort: number;
  /** The audit trail cannot be written any more: the sessions end, and the task is to be replaced. */
  readonly failed: Promise<Error>;
  /**
   * Takes no more sessions, gives the others until `graceMs` (the configured time where absent) or until `hurry` is aborted, ends
   * them, and seals what is open.
   */
  stop(reason: string, options?: { readonly graceMs?: number; readonly hurry?: AbortSignal }): Promise<void>;
};

/** Starts the gateway of a Fargate task from what the stacks put into its environment: in this process, or in as many as it is configured for. */
export async function runTask(options: TaskOptions): Promise<RunningTask> {
  const { environment, now } = options;
  const startedAtMs = now();
  const context = await openTask(options);
  const { task, variables, installation, report } = context;
  const proxyId = `task-${task.id}`;
  const { workers } = installation.configuration.gateway;
  const count = workers === 'auto' ? availableParallelism() : workers;
  const serving =
    count === 1 ? await serveTask(context, proxyId) : await superviseTask(context, proxyId, count);
  const { gateway, control } = serving;
  const drainMs = installation.configuration.gateway.drainSeconds * 1000;
  let problem: string | undefined;
  void serving.failed.then(() => {
    problem = 'the audit trail cannot be written';
  });
  const health = await startHealthServer(
    { host: '0.0.0.0', port: Number(variables.SSHTRAIL_HEALTH_PORT) },
    () => problem,
  );
  const duties = startTaskDuties({
    task,
    proxyId,
    startedAtMs,
    control,
    protection: createTaskProtection({
      agentUri: environment['ECS_AGENT_URI'],
      fetch: options.fetch,
      now,
      report,
    }),
    meter: serving.meter,
    metricsNamespace: variables.SSHTRAIL_METRICS_NAMESPACE,
    maxDrainMs: Number(variables.SSHTRAIL_MAX_DRAIN_MINUTES) * 60_000,
    sessionCount: () => gateway.sessionCount,
    notice: (text) => gateway.notice(text),
    now,
    write: options.write,
    report,
  });

  async function stop(
    reason: string,
    { graceMs = drainMs, hurry }: { readonly graceMs?: number; readonly hurry?: AbortSignal } = {},
  ): Promise<void> {
    const failed = problem !== undefined;
    problem ??= reason;
    await drainGateway(gateway, {
      reason,
      graceMs: failed ? 0 : graceMs,
      ...(hurry === undefined ? {} : { hurry }),
      now,
    });
    try {
      await serving.close(reason);
      await duties.stop();
    } finally {
      await control.close();
      await health.close();
    }
  }
  return { address: gateway.address, healthPort: health.port, failed: serving.failed, stop };
}
