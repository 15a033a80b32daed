import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { stopProcess } from './processes.ts';

/** What a function is run by: its file, its variables, and what it writes. */
export type FunctionCode = {
  readonly name: string;
  readonly file: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
};

/** Processes of a function. Each has one invocation at a time, as Lambda does it; they are not frozen between two. */
export type FunctionEnvironments = {
  /** Throws what the function throws. */
  invoke(event: unknown, context: object): Promise<unknown>;
  close(): Promise<void>;
};

type Environment = {
  take(line: string): Promise<string>;
  stop(): Promise<void>;
};

const timeoutMs = 60_000;

export function createFunctionEnvironments(code: FunctionCode): FunctionEnvironments {
  const all: Environment[] = [];
  const idle: Environment[] = [];
  return {
    async invoke(event, context) {
      let environment = idle.pop();
      if (environment === undefined) {
        environment = startEnvironment(code);
        all.push(environment);
      }
      const answer = await environment.take(JSON.stringify({ event, context }));
      idle.push(environment);
      const { result, error } = JSON.parse(answer) as { result?: unknown; error?: string };
      if (error !== undefined) throw new Error(`${code.name} failed: ${error}`);
      return result;
    },
    async close() {
      for (const environment of all) await environment.stop();
    },
  };
}

function startEnvironment({ name, file, environment, log }: FunctionCode): Environment {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'function-process.ts'), file], {
    cwd: join(import.meta.dirname, '..', '..'),
    env: { ...environment },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // One that has ended tells by its exit.
  child.stdin.on('error', () => undefined);
  const errors: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => log(`${name}: ${line}`));
  createInterface({ input: child.stderr }).on('line', (line) => {
    errors.push(line);
    log(`${name}: ${line}`);
  });
  const answers = createInterface({ input: child.stdio[3] as Readable });
  return {
    async take(line) {
      const answered = new Promise<string>((resolve) => answers.once('line', resolve));
      const ended = gone.then(() => {
        throw new Error(`${name} ended without an answer: ${errors.slice(-10).join('\n')}`);
      });
      const limit = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      child.stdin.write(`${line}\n`);
      try {
        return await Promise.race([answered, ended]);
      } finally {
        clearTimeout(limit);
      }
    },
    stop: () => stopProcess(child),
  };
}
