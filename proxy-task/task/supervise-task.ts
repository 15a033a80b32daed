import { z } from 'zod';
import { sealDeadWriter } from '#adapters/aws';
import { streamName } from '#core/contract';
import { createRecordingIndexer, createRecordingThread } from '../recording/index.ts';
import { superviseWorkers } from '../workers/index.ts';
import { openStores, type Serving, type TaskContext } from './serve-task.ts';
import { openTaskSinks, openTaskTrail, originOf } from './task-trail.ts';

/** Environment variable with what a worker of the task is to do, as JSON. */
const taskWorkerVariable = 'SSHTRAIL_TASK_WORKER';

const taskWorker = z.object({ proxyId: z.string(), port: z.int() });
export type TaskWorker = z.infer<typeof taskWorker>;

/** Undefined in the task's first process. */
export function readTaskWorker(
  environment: Readonly<Record<string, string | undefined>>,
): TaskWorker | undefined {
  const text = environment[taskWorkerVariable];
  return text === undefined ? undefined : taskWorker.parse(JSON.parse(text));
}

/**
 * The gateway in several processes, each with a stream of its own; this one's is for what concerns them all, such as the policies. What one that dies leaves is completed here, as the sealing function
 * completes it for a whole task; its replacement begins a new stream.
 */
export async function superviseTask(context: TaskContext, proxyId: string, count: number): Promise<Serving> {
  const { options, variables, clients, report } = context;
  const { now, randomBytes, version } = options;
  const stores = openStores(variables, clients, now);
  const sinks = await openTaskSinks(context, async (reason) =>
    report(`events of a worker that died may be missing in CloudTrail Lake (${reason}); they are in S3`),
  );
  const streams = new Map<number, string>();
  // What it reads has its secrets hidden; it is started with the first recording that a worker leaves.
  const thread = createRecordingThread({ redaction: { defaults: false, rules: [] } });
  const indexer = createRecordingIndexer(thread, stores.evidence, (error) => report(error.message));
  let begun = 0;
  const trail = await openTaskTrail(context, stores, proxyId);
  const policies = trail.keepPolicies();
  const gateway = await superviseWorkers({
    count,
    module: options.module,
    host: '0.0.0.0',
    port: Number(variables.SSHTRAIL_SSH_PORT),
    environment(number, port) {
      begun += 1;
      const worker: TaskWorker = { proxyId: `${proxyId}-w${begun}`, port };
      streams.set(number, worker.proxyId);
      return { [taskWorkerVariable]: JSON.stringify(worker) };
    },
    async closeLost(number) {
      const stream = streams.get(number);
      if (stream === undefined) return;
      await sealDeadWriter({
        journal: stores.unsealed,
        remover: stores.remover,
        evidence: stores.evidence,
        control: stores.control,
        stream: streamName(stream),
        origin: originOf(context),
        proxyId,
        now,
        randomBytes,
        sinks,
        version,
        index: async (key) => indexer.add(key),
        onFault: (error) => report(`the stream of a worker that died: ${error.message}`),
      });
    },
    policies,
    onRecord: () => undefined,
    report,
  });
  await trail.started(gateway, policies, count);
  return {
    gateway,
    control: stores.control,
    // Of its own stream; each worker writes of its own.
    meter: trail.meter,
    // Of its own stream. A worker that cannot write its audit trail ends, and is tried again.
    failed: trail.failed,
    async close(reason) {
      await policies.close();
      await gateway.close(reason);
      await trail.close(reason);
      await indexer.settled();
    },
  };
}
