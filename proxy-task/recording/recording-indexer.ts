import type { BlobKey } from '#core/contract';
import { RecorderError } from '#core/recording';
import { takeTurns } from './take-turns.ts';
import type { RecordingThread } from './thread/recording-thread.ts';
import type { ReachableStore } from './thread/remote-store.ts';

/** Makes the rows that are searched of a stored recording. Does not reject: what cannot be searched can still be played. */
export type RecordingIndexer = (key: BlobKey) => Promise<void>;

/** Each has up to 16 MiB of text in the thread while its rows are made. */
const maxAtOnce = 4;

export function createRecordingIndexer(
  thread: RecordingThread,
  store: ReachableStore,
  onFault: ((error: RecorderError) => void) | undefined,
): RecordingIndexer {
  const inTurn = takeTurns(maxAtOnce);
  return (key) =>
    inTurn(async () => {
      try {
        await thread.index(store, key);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        onFault?.(
          new RecorderError(
            'index',
            `what ${key} showed cannot be searched (${why}); it can be played, and "sshtrail search --index" tries again`,
            { cause },
          ),
        );
      }
    });
}
