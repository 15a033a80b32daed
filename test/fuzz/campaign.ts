import type { Coverage } from './coverage.ts';
import { Breach, type FuzzTarget } from './fuzz-target.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';

/** The search on one target: inputs that reach code no input reached before are kept, and changed further. */
export type Campaign = {
  readonly target: FuzzTarget;
  readonly executions: number;
  readonly corpus: readonly Buffer[];
  /** Runs the inputs it starts from. */
  begin(): Promise<void>;
  /** Searches for so long. */
  search(ms: number): Promise<void>;
};

export type CampaignOptions = {
  readonly coverage: Coverage;
  readonly random: Random;
  /** Told before each input is run. */
  readonly onInput: (input: Buffer) => void;
};

/** An input that broke a promise. */
export class Finding extends Error {
  override readonly name = 'Finding';
  readonly target: string;
  readonly input: Buffer;

  constructor(target: string, input: Buffer, cause: unknown) {
    super(`${target}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.target = target;
    this.input = input;
  }
}

const maxInputBytes = 8192;
const maxCorpus = 2000;
/** Inputs between two looks at the coverage take at least so long, and so many times as long as a look does. */
const batchMs = 20;
const batchPerLook = 8;
/** An input is slow that takes so many times the median, and so long at the least, each of three times; twice of processor time. */
const slowFactor = 50;
const slowMs = 50;

export function startCampaign(
  target: FuzzTarget,
  kept: readonly Buffer[],
  options: CampaignOptions,
): Campaign {
  const { coverage, random, onInput } = options;
  const tokens = target.tokens.map((token) => Buffer.from(token, 'latin1'));
  const corpus: Buffer[] = [];
  const pace = new Pace();
  let executions = 0;
  let lookMs = 0;

  const runOnce = async (input: Buffer): Promise<number> => {
    onInput(input);
    executions += 1;
    const started = performance.now();
    try {
      // Sparing a turn where there is nothing to wait for: parsers are run a hundred thousand times a second.
      const pending = target.run(input);
      if (pending !== undefined) await pending;
    } catch (cause) {
      throw new Finding(target.name, input, cause);
    }
    return performance.now() - started;
  };

  const run = async (input: Buffer): Promise<void> => {
    const took = await runOnce(input);
    const limit = Math.max(slowMs, slowFactor * pace.medianMs);
    pace.add(took);
    if (took < limit || !pace.settled) return;
    // Wall clock time is the machine's; what counts is the time that was worked.
    const again = Math.min(await workOf(() => runOnce(input)), await workOf(() => runOnce(input)));
    if (again >= limit)
      throw new Finding(
        target.name,
        input,
        new Breach(`takes ${again.toFixed(0)} ms, where the median is ${pace.medianMs.toFixed(3)} ms`),
      );
  };

  /** Finds by halves which inputs of a batch reached something new, and keeps them. */
  const sift = async (batch: readonly Buffer[]): Promise<void> => {
    coverage.look();
    for (const input of batch) await runOnce(input);
    const look = coverage.look();
    if (look.added === 0) return;
    const [first] = batch;
    if (batch.length > 1) {
      await sift(batch.slice(0, batch.length >> 1));
      await sift(batch.slice(batch.length >> 1));
    } else if (first !== undefined) {
      look.keep();
      if (corpus.length < maxCorpus) corpus.push(first);
    }
  };

  return {
    target,
    get executions() {
      return executions;
    },
    corpus,
    async begin() {
      for (const input of [...target.starts(), ...kept]) {
        await run(input);
        corpus.push(input);
      }
      coverage.look().keep();
    },
    async search(ms) {
      const end = performance.now() + ms;
      while (performance.now() < end) {
        const batch: Buffer[] = [];
        const batchEnd = performance.now() + Math.max(batchMs, batchPerLook * lookMs);
        while (performance.now() < batchEnd) {
          const parent = random.pick(corpus) ?? Buffer.alloc(0);
          const input = mutate(parent, random, {
            maxBytes: maxInputBytes,
            tokens,
            other: () => random.pick(corpus) ?? parent,
          });
          batch.push(input);
          await run(input);
        }
        const lookedAt = performance.now();
        const look = coverage.look();
        lookMs = performance.now() - lookedAt;
        if (look.added === 0) continue;
        await sift(batch);
        // What no single input reached again is not looked for twice.
        look.keep();
      }
    },
  };
}

/** Processor time of this thread, in milliseconds. */
async function workOf(act: () => Promise<unknown>): Promise<number> {
  const before = process.threadCpuUsage();
  await act();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/** How long inputs take. */
class Pace {
  readonly #recent: number[] = [];
  #at = 0;
  #median = 0;

  get settled(): boolean {
    return this.#recent.length >= 256;
  }

  get medianMs(): number {
    return this.#median;
  }

  add(ms: number): void {
    this.#recent[this.#at] = ms;
    this.#at = (this.#at + 1) % 512;
    if (this.#at % 128 === 0)
      this.#median = [...this.#recent].sort((a, b) => a - b)[this.#recent.length >> 1] ?? 0;
  }
}
