import type { BlobKey } from '#core/contract';
import { RecorderError } from '#core/recording';
import { takeTurns } from './take-turns.ts';
import type { RecordingThread } from './thread/recording-thread.ts';
import type { ReachableStore } from './thread/remote-store.ts';

/** Makes what is searched of stored recordings, when their evidence is complete: nothing waits for it. */
export type RecordingIndexer = {
  /** `key` is that of the manifest. */
  add(key: BlobKey): void;
  /** Resolves when all that was added is done. */
  settled(): Promise<void>;
};

/** Each has up to 16 MiB of text in the thread while its rows are made. */
const maxAtOnce = 4;
/** Sessions that end faster than their screens are read are left to "sshtrail search --index". */
const maxWaiting = 10_000;

/** What cannot be searched can still be played, so a fault is told and no more. */
export function createRecordingIndexer(
  thread: RecordingThread,
  store: ReachableStore,
  onFault: ((error: RecorderError) => void) | undefined,
): RecordingIndexer {
  const waiting = new Set<Promise<void>>();
  const inTurn = takeTurns(maxAtOnce);

  function fault(key: BlobKey, why: string, cause?: unknown): void {
    onFault?.(
      new RecorderError(
        'index',
        `what ${key} showed cannot be searched (${why}); it can be played, and "sshtrail search --index" tries again`,
        { cause },
      ),
    );
  }

  return {
    add(key) {
      if (waiting.size >= maxWaiting) return fault(key, 'too many recordings wait for that');
      const work = inTurn(() => thread.index(store, key)).catch((cause: unknown) =>
        fault(key, cause instanceof Error ? cause.message : String(cause), cause),
      );
      waiting.add(work);
      void work.finally(() => waiting.delete(work));
    },
    async settled() {
      while (waiting.size > 0) await Promise.all(waiting);
    },
  };
}
