import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
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
  /** Takes no more sessions, gives the others until `graceMs`, ends them, and seals what is open. */
  stop(reason: string, graceMs: number): Promise<void>;
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

  async function stop(reason: string, graceMs: number): Promise<void> {
    const failed = problem !== undefined;
    problem ??= reason;
    gateway.stopAccepting();
    gateway.notice(
      `${reason}: this session ends within ${Math.round(graceMs / 1000)} seconds; connect again`,
    );
    if (!failed) await untilNoSession(gateway, now() + graceMs, now);
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

async function untilNoSession(gateway: Gateway, deadlineMs: number, now: () => number): Promise<void> {
  while (gateway.sessionCount > 0 && now() < deadlineMs) await sleep(200);
}
