import { policiesFromSupervisor, serveAsWorker } from '../workers/index.ts';
import { metricLine } from './metric-line.ts';
import { openTask, serveTask, type TaskOptions } from './serve-task.ts';
import type { TaskWorker } from './supervise-task.ts';

const metricsMs = 60_000;

/** One of the processes that share a task's port: serves until its supervisor says close. */
export async function runTaskWorker(options: TaskOptions, worker: TaskWorker): Promise<void> {
  const policies = await policiesFromSupervisor();
  const context = await openTask(options, policies.current());
  const serving = await serveTask(context, worker.proxyId, { port: worker.port, policies });
  options.write(
    JSON.stringify({
      level: 'info',
      at: new Date(options.now()).toISOString(),
      message: `process ${process.pid} serves as ${worker.proxyId}`,
    }),
  );
  const metrics = setInterval(() => {
    const { SSHTRAIL_METRICS_NAMESPACE: namespace } = context.variables;
    options.write(metricLine(namespace, { Service: 'gateway' }, serving.meter.take(), options.now()));
  }, metricsMs);
  await serveAsWorker({
    gateway: serving.gateway,
    eventNames: new Set(),
    subscribe: () => undefined,
    failed: serving.failed,
    async close(reason) {
      clearInterval(metrics);
      await serving.close(reason);
      await serving.control.close();
    },
  });
}
