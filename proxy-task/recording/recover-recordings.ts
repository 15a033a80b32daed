import type { BlobStore } from '#core/contract';
import {
  type PutOnRecord,
  type RecorderError,
  recoverSpooledRecordings,
  type StoredRecording,
} from '#core/recording';
import { createRecordingIndexer } from './recording-indexer.ts';
import { openSpool } from './spool.ts';
import { createRecordingThread } from './thread/recording-thread.ts';

export type RecoveryOptions = {
  readonly store: BlobStore;
  readonly spoolDirectory: string;
  /** The spool lets go of a recording only when this has resolved; a rejection ends the recovery. */
  readonly putOnRecord: PutOnRecord;
  /** A recording that could not be completed: its files stay in the spool, and the others go on. */
  readonly onFault: (error: RecorderError) => void;
};

/** Completes the recordings in a spool folder. Call it before the recorder of the same spool is used. */
export async function recoverRecordings(options: RecoveryOptions): Promise<readonly StoredRecording[]> {
  const spool = openSpool(options.spoolDirectory);
  return recoverSpooledRecordings({ ...options, spool, unfinished: spool.unfinished() });
}

/** Makes what is searched of recordings that were recovered: after all that is evidence, which must not wait for it. */
export async function indexRecordings(options: {
  readonly store: BlobStore;
  readonly recordings: readonly StoredRecording[];
  readonly onFault: (error: RecorderError) => void;
}): Promise<void> {
  // Started with the first recording. What it reads has its secrets hidden.
  const thread = createRecordingThread({ redaction: { defaults: false, rules: [] } });
  const indexer = createRecordingIndexer(thread, options.store, options.onFault);
  try {
    for (const { key } of options.recordings) indexer.add(key);
    await indexer.settled();
  } finally {
    await thread.close();
  }
}
