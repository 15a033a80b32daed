import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArguments } from './arguments.ts';
import { BenchError } from './bench-error.ts';
import { coldStart } from './cold-start.ts';
import { commandHold } from './command-hold.ts';
import { connections } from './connections.ts';
import { decisionTimes } from './decisions.ts';
import { type Figure, figureJson } from './figure.ts';
import { hostile } from './hostile.ts';
import { keystrokes } from './keystrokes.ts';
import { memory, memory10k } from './memory.ts';
import { million } from './million.ts';
import { opening } from './opening.ts';
import { queryable } from './queryable.ts';
import { revocation } from './revocation.ts';
import { sessionStarts } from './session-starts.ts';
import { tableLines } from './table.ts';
import { terminalBulk } from './terminal-bulk.ts';
import { throughput } from './throughput.ts';
import { verification } from './verification.ts';
import { type Family, type OpenWorkbench, openWorkbench } from './workbench.ts';
import { workerStarts } from './worker-starts.ts';

const families: readonly Family[] = [
  throughput,
  terminalBulk,
  commandHold,
  connections,
  sessionStarts,
  keystrokes,
  memory,
  revocation,
  queryable,
  opening,
  coldStart,
  decisionTimes,
  workerStarts,
  hostile,
  memory10k,
  million,
  verification,
];

const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
let open: OpenWorkbench | undefined;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    progress('stopping what was started');
    void Promise.resolve(open?.close()).finally(() => process.exit(130));
  });
}

try {
  process.exitCode = await bench(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof BenchError)) throw error;
  progress(`bench: ${error.message}`);
  process.exitCode = 2;
}

/** 0 when everything asked for was measured, whether or not the promises are met. */
async function bench(argv: readonly string[]): Promise<number> {
  const options = parseArguments(
    argv,
    families.map(({ name }) => name),
  );
  if (options.help) {
    for (const line of helpLines()) console.log(line);
    return 0;
  }
  const chosen = families.filter(({ name, onRequest }) =>
    options.only.length === 0 ? onRequest !== true : options.only.includes(name),
  );
  const figures: Figure[] = [];
  let failures = 0;
  for (const family of chosen) {
    progress(`${family.name}: ${family.about}`);
    open = openWorkbench({
      sizeBytes: options.sizeMib * 1024 ** 2,
      rounds: options.rounds,
      nodeFlags: [...options.nodeFlags, ...profiling(options.profileDirectory)],
      progress,
    });
    try {
      figures.push(...(await family.measure(open)));
    } catch (error) {
      failures += 1;
      progress(
        `${family.name} could not be measured: ${error instanceof Error ? error.message : String(error)}`,
      );
    } finally {
      await open.close();
      open = undefined;
    }
  }
  const processors = cpus();
  console.log(
    `${processors.length} x ${processors[0]?.model.trim() ?? 'unknown processor'}, ${process.platform}, Node ${process.versions.node}`,
  );
  for (const line of tableLines(figures)) console.log(line);
  if (options.jsonFile !== undefined)
    writeFileSync(
      options.jsonFile,
      `${JSON.stringify({ figures: figures.map(figureJson) }, undefined, 2)}\n`,
    );
  return failures === 0 ? 0 : 1;
}

function profiling(directory: string | undefined): readonly string[] {
  return directory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${directory}`];
}

function helpLines(): readonly string[] {
  return [
    'npm run bench [-- options]',
    '  --only NAME    one family of figures; may be given again',
    '  --json FILE    the figures as JSON, too',
    '  --size MIB     of one bulk transfer (512)',
    '  --rounds N     of everything that is done in rounds (3)',
    '  --profile DIR  leaves a CPU profile of every gateway there',
    '  --node-flag F  a flag of Node for the gateways; may be given again',
    'Families; * only when named:',
    ...families.map(({ name, about, onRequest }) => `  ${name}${onRequest === true ? ' *' : ''}: ${about}`),
  ];
}
