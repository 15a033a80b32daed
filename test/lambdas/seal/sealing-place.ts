import { randomBytes } from 'node:crypto';
import type { AuditDraft, EventSink, StreamName } from '../../../core/contract/index.ts';
import { type SealParts, seal } from '../../../lambdas/seal/seal.ts';
import { createLog, startInvocation } from '../../../lambdas/shared/index.ts';
import { type Around, memoryStores, storesOver } from '../../adapters/aws/journal/memory-stores.ts';
import { atMs, journalOver, stream, version } from '../../adapters/aws/journal/sample-stream.ts';
import { origin } from '../../core/chain/sample-chain.ts';
import { newSigner } from '../../core/digest/sample-digests.ts';
import { fakeNotifier } from '../../core/runbook/fakes.ts';

export const task = 'arn:aws:ecs:eu-central-1:123456789012:task/sshtrail/0123456789abcdef0123456789abcdef';
export const sweep = { kind: 'sweep' };

export function stopped(taskArn = task, lastStatus = 'STOPPED') {
  return {
    'detail-type': 'ECS Task State Change',
    source: 'aws.ecs',
    detail: { clusterArn: 'arn:aws:ecs:eu-central-1:123456789012:cluster/sshtrail', lastStatus, taskArn },
  };
}

/** Stores that gateways have written to, and the function that completes what they left. */
export function openPlace() {
  const memory = memoryStores();
  const notifier = fakeNotifier();
  const clock = { nowMs: atMs + 120_000 };
  const lines: string[] = [];
  const counts: [string, number][] = [];
  const sinks: EventSink[] = [];
  const signer = newSigner('ecdsa-p256-sha256');
  let invocations = 0;

  return {
    memory,
    notifier,
    signer,
    clock,
    lines,
    counts,
    sinks,
    /** A gateway that wrote these records; unless it is closed, it is dead for the function. */
    async gateway(
      drafts: readonly AuditDraft[],
      options: { readonly name?: StreamName; readonly task?: string; readonly sealed?: boolean } = {},
    ) {
      const { name = stream, sealed = false } = options;
      const journal = await journalOver(storesOver(memory), {
        stream: name,
        proxyId: `p-${name}`,
        task: options.task ?? task,
      });
      for (const draft of drafts) await journal.record(draft);
      if (sealed) await journal.sealNow();
      return journal;
    },
    /** One invocation; what it recorded is sealed when it ends. */
    async seal(
      event: unknown,
      changes: Partial<SealParts> = {},
      around: Around = {},
      openSinks: () => Promise<readonly EventSink[]> = async () => sinks,
    ) {
      const stores = storesOver(memory, around);
      const now = () => clock.nowMs;
      invocations += 1;
      const log = createLog((line) => lines.push(line), {
        function: 'seal',
        requestId: `r-${invocations}`,
        now,
      });
      const invocation = startInvocation({
        stores: { ...stores, sinks: openSinks },
        origin,
        functionName: 'seal',
        log,
        now,
        randomBytes,
      });
      try {
        return await seal(event, {
          invocation,
          notifier,
          signer: async () => signer,
          version,
          sealerId: `seal-${invocations}`,
          log,
          count: (metric, value) => counts.push([metric, value]),
          now,
          randomBytes,
          remainingMs: () => 600_000,
          deliverWithinMs: 300,
          ...changes,
        });
      } finally {
        await invocation.close().catch(() => undefined);
      }
    },
    writers: () => [...memory.control.keys()].filter((key) => key.startsWith('writer ')),
  };
}
