import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { SoundSegment } from '#core/verify';
import type { SealedSegmentFile } from './segment-files.ts';

/** What a thread found out of a file. */
export type CheckedFile = {
  readonly stored: { readonly bytes: number; readonly sha256: string } | undefined;
  /** Undefined where something is wrong, or where the file is too large for a thread. */
  readonly sound: SoundSegment | undefined;
};

export type SegmentCheckers = {
  /** Undefined where the thread could not do it. */
  check(file: SealedSegmentFile): Promise<CheckedFile | undefined>;
  close(): Promise<void>;
};

/** More threads than this wait for each other's turn at the end of the line, and cost memory each. */
const maxThreads = 4;
/** Fewer files are read as fast as threads start. */
export const worthThreads = 8;

type Thread = {
  readonly worker: Worker;
  readonly waiting: Map<number, (checked: CheckedFile | undefined) => void>;
};

type Answer = { readonly id: number; readonly checked: CheckedFile | undefined };

/** Threads that verify segments by themselves. They are not trusted with saying what is wrong: who gets no answer reads the lines. */
export function openSegmentCheckers(
  threadCount = Math.min(availableParallelism(), maxThreads),
): SegmentCheckers {
  const threads = Array.from({ length: threadCount }, startThread);
  let nextId = 0;
  return {
    check({ path, stream, firstSeq, date }) {
      const thread = threads.toSorted((a, b) => a.waiting.size - b.waiting.size)[0];
      if (thread === undefined) return Promise.resolve(undefined);
      const id = nextId++;
      return new Promise((resolve) => {
        thread.waiting.set(id, resolve);
        thread.worker.postMessage({ id, path, stream, firstSeq, date }, []);
      });
    },
    async close() {
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}

function startThread(): Thread {
  const worker = new Worker(new URL('./segment-check-worker.ts', import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 },
  });
  const waiting: Thread['waiting'] = new Map();
  worker.on('message', ({ id, checked }: Answer) => {
    waiting.get(id)?.(checked);
    waiting.delete(id);
  });
  const giveUp = () => {
    for (const resolve of waiting.values()) resolve(undefined);
    waiting.clear();
  };
  worker.on('error', giveUp);
  worker.on('exit', giveUp);
  return { worker, waiting };
}
