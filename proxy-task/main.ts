import { randomBytes } from 'node:crypto';
import packageFile from '../package.json' with { type: 'json' };
import { onUncaughtFault } from './last-resort.ts';
import { runTask } from './task/run-task.ts';
import { runTaskWorker } from './task/run-task-worker.ts';
import type { TaskOptions } from './task/serve-task.ts';
import { readTaskWorker } from './task/supervise-task.ts';

/** After a fault that nobody caught: what sessions get, and what ending in order may take. */
const faultGraceMs = 5_000;
const faultDeadlineMs = 30_000;

const write = (line: string) => void process.stdout.write(`${line}\n`);
const say = (level: 'info' | 'error', message: string) =>
  write(JSON.stringify({ level, at: new Date().toISOString(), message }));

const options: TaskOptions = {
  environment: process.env,
  version: packageFile.version,
  fetch,
  now: Date.now,
  randomBytes,
  module: import.meta.filename,
  write,
};

/** The gateway's process on Fargate: runs until SIGTERM, or until the audit trail cannot be written. */
async function main(): Promise<void> {
  const worker = readTaskWorker(process.env);
  if (worker !== undefined) {
    // Of these the first process decides, whoever sends them.
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
    return runTaskWorker(options, worker);
  }
  const task = await runTask(options);
  say(
    'info',
    `the gateway listens on ${task.address.host}:${task.address.port}, health on port ${task.healthPort}`,
  );
  onUncaughtFault({
    report: (line) => say('error', line),
    stop: (reason) => task.stop(reason, { graceMs: faultGraceMs }),
    deadlineMs: faultDeadlineMs,
    exit: (code) => process.exit(code),
  });
  const hurry = new AbortController();
  let stops = 0;
  const stopped = new Promise<'stop'>((resolve) => {
    const take = (): void => {
      // A second one means: now.
      if (stops > 0) hurry.abort();
      stops += 1;
      resolve('stop');
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, take);
  });
  const why = await Promise.race([stopped, task.failed]);
  if (why === 'stop') {
    say('info', 'told to stop: sessions get their notice');
    await task.stop('the gateway is being replaced', { hurry: hurry.signal });
    say('info', 'stopped');
    return;
  }
  say('error', `the audit trail cannot be written (${why.message}); the task ends and is replaced`);
  process.exitCode = 1;
  await task.stop('the audit trail cannot be written', { graceMs: 0 });
}

try {
  await main();
} catch (error) {
  say('error', error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
// Timers and sockets of libraries must not keep a task that is done.
process.exit();
