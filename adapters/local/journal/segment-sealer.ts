import { JournalError } from '#core/journal';
import { type FullSegment, type Sealed, sealSegment } from './seal-segment.ts';

export type SegmentSealer = {
  add(segment: FullSegment): void;
  /** Resolves when everything that is full is in the lake. @throws JournalError `unsealed` when something remains. */
  settle(): Promise<void>;
  /** No more tries of its own. */
  stop(): void;
};

/** Moves full segments to the lake one after another, beside the writing. What fails is tried again later. */
export function segmentSealer(options: {
  readonly directory: string;
  readonly retryAfterMs: number;
  readonly beforeEach: () => Promise<void>;
  /** In order. */
  readonly onSealed: (segment: FullSegment, sealed: Sealed) => void;
  readonly onFault: (error: JournalError) => void;
}): SegmentSealer {
  const full: FullSegment[] = [];
  let sealing: Promise<JournalError | undefined> | undefined;
  let retry: NodeJS.Timeout | undefined;
  let stopped = false;

  const sealAll = async (): Promise<JournalError | undefined> => {
    for (let segment = full[0]; segment !== undefined; segment = full[0]) {
      try {
        await options.beforeEach();
        const sealed = await sealSegment(options.directory, segment);
        full.shift();
        options.onSealed(segment, sealed);
      } catch (cause) {
        const error = unsealed(segment, cause);
        sealing = undefined;
        if (!stopped) retry = setTimeout(() => void start(), options.retryAfterMs).unref();
        options.onFault(error);
        return error;
      }
    }
    // In the same turn as the last look, so that what is added next starts anew.
    sealing = undefined;
    return undefined;
  };

  const start = (): Promise<JournalError | undefined> => {
    clearTimeout(retry);
    if (full.length === 0) return Promise.resolve(undefined);
    sealing ??= sealAll();
    return sealing;
  };

  return {
    add(segment) {
      full.push(segment);
      void start();
    },
    async settle() {
      const error = await start();
      if (error !== undefined) throw error;
    },
    stop() {
      stopped = true;
      clearTimeout(retry);
    },
  };
}

function unsealed(segment: FullSegment, cause: unknown): JournalError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new JournalError(
    'unsealed',
    `${segment.path} could not be moved to the lake (${reason}); its records are safe where they are, and it will be tried again`,
    { cause },
  );
}
