import { type ChildProcess, fork } from 'node:child_process';
import { BenchError } from './bench-error.ts';
import { type Answer, type AnswerOf, type Order, parseAnswer } from './messages.ts';

/** A process of the benchmark's own, spoken to by messages. */
export type Child = {
  readonly pid: number;
  /** Sends an order and resolves with the next answer of that kind. */
  ask<Kind extends Answer['kind']>(order: Order, kind: Kind, timeoutMs?: number): Promise<AnswerOf<Kind>>;
  /** Told of every answer; returns what ends it. */
  listen(listener: (answer: Answer) => void): () => void;
  stop(): Promise<void>;
};

export type ReadyChild = Child & { readonly port: number };

const stopGraceMs = 20_000;

/** Starts a module of this folder as a process of its own, and waits until it is ready. */
export async function startChild(
  module: string,
  args: readonly string[],
  nodeArguments: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<ReadyChild> {
  const child = fork(new URL(module, import.meta.url), [...args], {
    execArgv: [...nodeArguments],
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const listeners = new Set<(answer: Answer) => void>();
  child.on('message', (message) => {
    const answer = parseAnswer(message);
    for (const listener of listeners) listener(answer);
  });
  // A message to a child that has gone; whoever waits for its answer hears of the exit.
  child.on('error', () => undefined);

  const wait = <Kind extends Answer['kind']>(kind: Kind, timeoutMs: number): Promise<AnswerOf<Kind>> =>
    nextAnswer(module, child, listeners, kind, timeoutMs);
  const stop = () => stopChild(child, exit);
  try {
    const { port } = await wait('ready', 60_000);
    return {
      pid: child.pid ?? 0,
      port,
      ask(order, kind, timeoutMs = 300_000) {
        const answered = wait(kind, timeoutMs);
        child.send(order);
        return answered;
      },
      listen(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function nextAnswer<Kind extends Answer['kind']>(
  module: string,
  child: ChildProcess,
  listeners: Set<(answer: Answer) => void>,
  kind: Kind,
  timeoutMs: number,
): Promise<AnswerOf<Kind>> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      child.off('exit', onExit);
      listeners.delete(listener);
    };
    const fail = (reason: string): void => {
      settle();
      reject(new BenchError('failed', `${module}: ${reason}`));
    };
    const isWanted = (answer: Answer): answer is AnswerOf<Kind> => answer.kind === kind;
    const listener = (answer: Answer): void => {
      if (answer.kind === 'failed') fail(answer.reason);
      else if (isWanted(answer)) {
        settle();
        resolve(answer);
      }
    };
    const onExit = (code: number | null, signal: string | null): void =>
      fail(`it ended (${code ?? signal}) before it had answered`);
    const timer = setTimeout(() => fail(`no "${kind}" within ${timeoutMs} ms`), timeoutMs);
    child.once('exit', onExit);
    listeners.add(listener);
  });
}

async function stopChild(child: ChildProcess, exit: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  if (child.connected) child.send({ kind: 'stop' });
  const timer = setTimeout(() => child.kill('SIGKILL'), stopGraceMs);
  await exit;
  clearTimeout(timer);
}
