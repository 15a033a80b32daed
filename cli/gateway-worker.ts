import { policiesFromSupervisor, serveAsWorker, tellSupervisor } from '../proxy-task/index.ts';
import { runGateway } from './gateway-run.ts';
import { readWorkerTask } from './gateway-workers.ts';
import { loadInstallation } from './installation.ts';

/** One of the processes that share the gateway's port; started by the supervisor, never by hand. */
async function main(): Promise<void> {
  const { data, number, eventNames, ...task } = readWorkerTask(process.env);
  const policies = await policiesFromSupervisor();
  const running = await runGateway({
    ...task,
    data,
    installation: await loadInstallation(data, policies.current()),
    worker: { number, policies },
    now: Date.now,
    report: (line) => void tellSupervisor({ kind: 'report', line }),
  });
  await serveAsWorker({
    gateway: running.gateway,
    eventNames: new Set(eventNames),
    subscribe: (listener) => running.journal.subscribe(listener),
    failed: running.auditFailure,
    close: (reason) => running.close(reason),
  });
}

// Of these the supervisor decides: a terminal sends them to every process of the group.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
try {
  await main();
} catch (error) {
  const line = error instanceof Error ? error.message : String(error);
  if (process.connected) await tellSupervisor({ kind: 'report', line });
  else process.stderr.write(`${line}\n`);
  process.exitCode = 1;
}
// Without the channel cluster would end it as if all were well.
process.exit();
