import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { parseArguments } from './arguments.ts';
import { FuzzError } from './fuzz-error.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { Progress } from './progress.ts';
import { currentBytes, currentHead, type SearchMessage, type SearchOrder } from './search.ts';
import { keepSeed } from './seeds.ts';
import { targets } from './targets/index.ts';

/** An input that takes longer hangs. */
const hangMs = 20_000;
const maxHeapMib = 1024;

try {
  process.exitCode = await fuzz(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof FuzzError)) throw error;
  console.error(`fuzz: ${error.message}`);
  process.exitCode = 2;
}

/** 0 where nothing broke, 1 where something did. */
async function fuzz(argv: readonly string[]): Promise<number> {
  const options = parseArguments(
    argv,
    targets.map(({ name }) => name),
    Date.now() % 2 ** 31,
  );
  if (options.help) {
    for (const line of helpLines()) console.log(line);
    return 0;
  }
  const chosen =
    options.targets.length === 0 ? targets : targets.filter(({ name }) => options.targets.includes(name));
  const [first] = chosen;
  if (options.seedFile !== undefined && first !== undefined) return runSeed(first, options.seedFile);
  console.error(`${chosen.length} targets, ${options.seconds} s, --random ${options.random}`);
  return searchInThread(
    { targets: chosen.map(({ name }) => name), seconds: options.seconds, random: options.random },
    options.keep,
  );
}

async function runSeed(target: FuzzTarget, file: string): Promise<number> {
  try {
    await target.run(readFileSync(file));
  } catch (error) {
    console.error(error);
    return 1;
  }
  console.log(`${target.name}: nothing broke`);
  return 0;
}

/** In a thread of its own, which may hang, run out of memory or die, and whose last input is known all the same. */
function searchInThread(order: Omit<SearchOrder, 'current'>, keep: boolean): Promise<number> {
  const current = new SharedArrayBuffer(currentBytes);
  const worker = new Worker(new URL('./search.ts', import.meta.url), {
    workerData: { ...order, current } satisfies SearchOrder,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMib },
  });
  const { promise, resolve } = Promise.withResolvers<number>();
  const progress = new Progress();
  const settle = (code: number): void => {
    clearInterval(watchdog);
    progress.print();
    void worker.terminate();
    resolve(code);
  };
  const breakAtCurrent = (what: string): void => {
    const { target, input } = currentInput(current);
    settle(reportFinding(target, input, what));
  };
  const watchdog = watch(current, () => breakAtCurrent(`takes longer than ${hangMs / 1000} s`));
  worker.on('error', (error) =>
    breakAtCurrent(`took the process down: ${error instanceof Error ? error.stack : error}`),
  );
  worker.on('exit', () => resolve(1));
  worker.on('message', (message: SearchMessage) => {
    switch (message.kind) {
      case 'progress':
        return progress.note(message);
      case 'finding':
        return settle(reportFinding(message.target, Buffer.from(message.input), message.text));
      case 'done':
        for (const { target, inputs } of message.kept)
          for (const input of keep ? inputs : []) keepSeed(target, Buffer.from(input));
        return settle(0);
    }
  });
  return promise;
}

/** Calls back when no further input was begun for too long. */
function watch(current: SharedArrayBuffer, onHang: () => void): NodeJS.Timeout {
  const head = new Uint32Array(current, 0, currentHead);
  let begun = 0;
  let since = Date.now();
  return setInterval(() => {
    const now = Atomics.load(head, 0);
    if (now === 0 || now !== begun) since = Date.now();
    else if (Date.now() - since > hangMs) onHang();
    begun = now;
  }, 500);
}

function currentInput(current: SharedArrayBuffer): { readonly target: string; readonly input: Buffer } {
  const [, target = 0, length = 0] = new Uint32Array(current, 0, currentHead);
  const bytes = new Uint8Array(current, 4 * currentHead, length);
  return { target: targets[target]?.name ?? 'unknown', input: Buffer.from(bytes) };
}

function reportFinding(target: string, input: Buffer, what: string): number {
  console.error(`BROKEN ${target}: ${what}`);
  const file = keepSeed(target, input);
  console.error(`the input is ${file}; run it alone with: npm run fuzz -- --target ${target} --seed ${file}`);
  return 1;
}

function helpLines(): readonly string[] {
  return [
    'npm run fuzz [-- options]',
    '  --seconds N    how long to search (600)',
    '  --target NAME  one target; may be given again',
    '  --seed FILE    runs one input of one target, and searches nothing',
    '  --random N     the number from which the choices of a run follow; each run prints its own',
    '  --keep         keeps the inputs that reached new code under test/fuzz/seeds',
    'Examples:',
    '  npm run fuzz -- --seconds 60',
    '  npm run fuzz -- --target session-server --target session-client',
    '  npm run fuzz -- --target certificate --seed test/fuzz/seeds/certificate/0123456789ab',
    'Targets:',
    ...targets.map(({ name, about }) => `  ${name}: ${about}`),
  ];
}
