import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { GatewayMessage, GatewayOrder, ProcessMemory } from './gateway-process.ts';

/** A gateway in a process of its own, which can be killed and whose memory is its own. */
export type ForkedGateway = {
  /** Settles when it listens; rejects when the process ended before. */
  readonly port: Promise<number>;
  /** Settles when its modules are loaded and it begins to open its stores. */
  readonly opening: Promise<void>;
  readonly exited: Promise<void>;
  readonly reports: readonly string[];
  memory(): Promise<ProcessMemory>;
  /** SIGKILL, and settles when the process is gone. */
  kill(): Promise<void>;
  /** An orderly end. */
  close(): Promise<void>;
};

export function forkGateway(dataRoot: string): ForkedGateway {
  const child = fork(join(import.meta.dirname, 'gateway-process.ts'), [dataRoot], {
    // The flags and the environment of npm start.
    execArgv: ['--max-semi-space-size=1', '--expose-gc', '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    env: { ...process.env, MALLOC_ARENA_MAX: '1' },
  });
  const reports: string[] = [];
  const errors: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk));
  const opening = Promise.withResolvers<void>();
  const port = Promise.withResolvers<number>();
  // Whoever kills it before it listens does not ask for its port.
  port.promise.catch(() => undefined);
  opening.promise.catch(() => undefined);
  const measured: ((memory: ProcessMemory) => void)[] = [];
  child.on('message', (message: GatewayMessage) => {
    switch (message.kind) {
      case 'opening':
        return opening.resolve();
      case 'ready':
        return port.resolve(message.port);
      case 'report':
        return void reports.push(message.line);
      case 'memory':
        return measured.shift()?.(message.memory);
    }
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      const error = new Error(
        `the gateway ended with ${signal ?? code}: ${Buffer.concat(errors).toString()} ${reports.join('; ')}`,
      );
      port.reject(error);
      opening.reject(error);
      resolve();
    });
  });
  const order = (what: GatewayOrder) => void child.send(what, () => undefined);
  return {
    port: port.promise,
    opening: opening.promise,
    exited,
    reports,
    memory: () =>
      new Promise((resolve, reject) => {
        measured.push(resolve);
        void exited.then(() => reject(new Error('the gateway has ended')));
        order('memory');
      }),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async close() {
      order('close');
      await exited;
    },
  };
}
