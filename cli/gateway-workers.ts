import { getCompileCacheDir } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { AuditRecord, Target } from '#core/contract';
import { startProxy, stopProxy } from '#core/event';
import { type PolicyKeeper, superviseWorkers } from '../proxy-task/index.ts';
import {
  auditWriters,
  closeDeadWriter,
  closeForerunners,
  closeLost,
  openLocalStores,
} from './audit-writer.ts';
import { dataDirectory } from './data-directory.ts';
import { type GatewayRunOptions, type RunningGateway, runGateway } from './gateway-run.ts';
import type { Installation } from './installation.ts';
import { keepPolicyFiles } from './kept-policies.ts';
import { version } from './version.ts';

/** Environment variable with what a worker is to do, as JSON. */
const workerVariable = 'SSHTRAIL_WORKER';

const workerTask = z.object({
  root: z.string(),
  number: z.int().min(1),
  listen: z.object({ host: z.string(), port: z.int() }),
  /** The configuration's own are read from its file. */
  extraTargets: z.array(z.custom<Target>((value) => typeof value === 'object' && value !== null)),
  eventNames: z.array(z.string()),
});

export type WorkersRunOptions = Omit<GatewayRunOptions, 'worker' | 'journal'> & {
  /** Events that the journal's subscribers here are told of, whichever worker records them. */
  readonly eventNames: readonly string[];
};

/** How many processes the configuration asks for. */
function workerCount({ configuration }: Installation): number {
  const { workers } = configuration.gateway;
  return workers === 'auto' ? availableParallelism() : workers;
}

/** The gateway in one process or in several, as the configuration has it. */
export async function runConfiguredGateway(options: WorkersRunOptions): Promise<RunningGateway> {
  const of = workerCount(options.installation);
  const writers = auditWriters(options.data, options.installation.configuration.gateway);
  const except = of === 1 ? [] : Array.from({ length: of }, (_, index) => writers.worker(index + 1));
  await closeForerunners({ ...options, except });
  return of === 1 ? runGateway(options) : runGatewayWorkers(options, of);
}

/** What a worker finds in its environment. */
export function readWorkerTask(environment: Readonly<Record<string, string | undefined>>) {
  const { root, ...task } = workerTask.parse(JSON.parse(environment[workerVariable] ?? 'null'));
  return { ...task, data: dataDirectory(root) };
}

/** This process keeps a stream of its own, for what runbooks do; sessions are the workers'. */
async function runGatewayWorkers(options: WorkersRunOptions, of: number): Promise<RunningGateway> {
  const { data, installation, now, report, eventNames } = options;
  const writers = auditWriters(data, installation.configuration.gateway);
  const writer = writers.main;
  const { stores, auditFailure } = await openLocalStores({ ...options, writer });
  const startedAtMs = now();
  const proxy = { proxyId: writer.proxyId, version };
  const listeners = new Set<(record: AuditRecord) => void>();
  let policies: PolicyKeeper | undefined;
  try {
    await closeLost(writer, stores, options);
    const keeper = await keepPolicyFiles({ ...options, ...stores, proxyId: writer.proxyId });
    policies = keeper;
    const policySha256 = keeper.current().version;
    const task = { root: data.root, extraTargets: options.extraTargets, eventNames };
    const gateway = await superviseWorkers({
      count: of,
      module: join(import.meta.dirname, 'gateway-worker.ts'),
      execArgv: process.execArgv.filter((argument) => argument.startsWith('--max-')),
      ...options.listen,
      environment: (number, port) => ({
        ...compiledCode(),
        [workerVariable]: JSON.stringify({ ...task, number, listen: { ...options.listen, port } }),
      }),
      closeLost: (number, how) => closeDeadWriter({ ...options, writer: writers.worker(number), how }),
      policies: keeper,
      onRecord: (record) => {
        for (const listener of listeners) listener(record);
      },
      report,
    });
    void auditFailure.then((error) =>
      report(`the audit trail of the runbooks cannot be written (${error.message}); make room`),
    );
    await stores.journal.record(
      startProxy(proxy, now(), {
        listen: [`${gateway.address.host}:${gateway.address.port}`],
        tornBytes: stores.journal.recovered.tornBytes,
        lostSessions: stores.journal.recovered.lostSessions.length,
        policySha256,
        workers: of,
      }),
    );
    return {
      ...stores,
      journal: withListeners(stores.journal, listeners),
      gateway,
      auditFailure,
      async close(reason) {
        try {
          await keeper.close();
          await gateway.close(reason);
          await stores.journal.record(
            stopProxy(proxy, now(), { reason, seconds: (now() - startedAtMs) / 1000 }),
          );
        } finally {
          await stores.control.close();
          await stores.journal.close();
        }
      },
    };
  } catch (error) {
    await policies?.close();
    await stores.control.close();
    await stores.journal.close();
    throw error;
  }
}

/** What this process has compiled a worker loads, and so takes connections sooner; Node keeps it below the folder it was given. */
function compiledCode(): Readonly<Record<string, string>> {
  const directory = getCompileCacheDir();
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: dirname(directory) };
}

/** The same journal, whose subscribers also hear of the workers' records. */
function withListeners(
  journal: RunningGateway['journal'],
  listeners: Set<(record: AuditRecord) => void>,
): RunningGateway['journal'] {
  return {
    recovered: journal.recovered,
    record: (draft) => journal.record(draft),
    sealNow: () => journal.sealNow(),
    close: () => journal.close(),
    subscribe(listener) {
      const unsubscribe = journal.subscribe(listener);
      listeners.add(listener);
      return () => {
        unsubscribe();
        listeners.delete(listener);
      };
    },
  };
}
