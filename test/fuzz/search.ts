import { parentPort, workerData } from 'node:worker_threads';
import { type Campaign, Finding, startCampaign } from './campaign.ts';
import { startCoverage } from './coverage.ts';
import { FuzzError } from './fuzz-error.ts';
import { randomFrom } from './random.ts';
import { seedsOf } from './seeds.ts';
import { targets } from './targets/index.ts';

/** What the thread that searches is given. */
export type SearchOrder = {
  readonly targets: readonly string[];
  readonly seconds: number;
  readonly random: number;
  /** Where the input that is being run stands: what is left to know of a thread that hangs or dies. */
  readonly current: SharedArrayBuffer;
};

export type SearchMessage =
  | {
      readonly kind: 'progress';
      readonly target: string;
      readonly executions: number;
      readonly corpus: number;
      readonly reached: number;
    }
  | { readonly kind: 'finding'; readonly target: string; readonly input: Uint8Array; readonly text: string }
  | {
      readonly kind: 'done';
      readonly kept: readonly { readonly target: string; readonly inputs: readonly Uint8Array[] }[];
    };

/** Of `current`: how many inputs were begun, the number of the target, the length of the input; then the input. */
export const currentHead = 3;
export const currentBytes = 4 * currentHead + 65_536;

/** Short, so that all targets have their turn in a short run too. */
const shortestTurnMs = 200;
const longestTurnMs = 5000;

const port = parentPort;
if (port !== null) await search(workerData as SearchOrder, (message) => port.postMessage(message, []));

async function search(order: SearchOrder, tell: (message: SearchMessage) => void): Promise<void> {
  const chosen = targets.filter(({ name }) => order.targets.includes(name));
  if (chosen.length === 0) throw new FuzzError('usage', 'no target was chosen');
  const random = randomFrom(order.random);
  const coverage = startCoverage();
  const campaigns = chosen.map((target) =>
    startCampaign(
      target,
      seedsOf(target.name).map(({ input }) => input),
      { coverage, random, onInput: marker(order.current, targets.indexOf(target)) },
    ),
  );
  const end = performance.now() + order.seconds * 1000;
  const turnMs = Math.min(
    longestTurnMs,
    Math.max(shortestTurnMs, (order.seconds * 1000) / campaigns.length / 4),
  );
  try {
    for (const campaign of campaigns) {
      await campaign.begin();
      tell(progressOf(campaign, coverage.total));
    }
    while (performance.now() < end) {
      for (const campaign of campaigns) {
        const left = end - performance.now();
        if (left <= 0) break;
        await campaign.search(Math.min(turnMs, left));
        tell(progressOf(campaign, coverage.total));
      }
    }
    tell({
      kind: 'done',
      kept: campaigns.map(({ target, corpus }) => ({ target: target.name, inputs: corpus })),
    });
  } catch (error) {
    if (!(error instanceof Finding)) throw error;
    tell({ kind: 'finding', target: error.target, input: error.input, text: describe(error) });
  } finally {
    coverage.stop();
  }
}

function marker(current: SharedArrayBuffer, target: number): (input: Buffer) => void {
  const head = new Uint32Array(current, 0, currentHead);
  const bytes = new Uint8Array(current, 4 * currentHead);
  return (input) => {
    const length = Math.min(input.length, bytes.length);
    bytes.set(input.subarray(0, length));
    head[1] = target;
    head[2] = length;
    Atomics.add(head, 0, 1);
  };
}

function progressOf({ target, executions, corpus }: Campaign, reached: number): SearchMessage {
  return { kind: 'progress', target: target.name, executions, corpus: corpus.length, reached };
}

function describe(finding: Finding): string {
  const { cause } = finding;
  return `${finding.message}\n${cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.stack : cause.stack) : ''}`;
}
