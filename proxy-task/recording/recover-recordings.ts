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
  /** A recording that could not be completed: its files stay in the spool, and the others go on. Or one that cannot be searched. */
  readonly onFault: (error: RecorderError) => void;
};

/** Completes the recordings in a spool folder. Call it before the recorder of the same spool is used. */
export async function recoverRecordings(options: RecoveryOptions): Promise<readonly StoredRecording[]> {
  const spool = openSpool(options.spoolDirectory);
  // Started with the first recording there is. What it reads has its secrets hidden.
  const thread = createRecordingThread({ redaction: { defaults: false, rules: [] } });
  const index = createRecordingIndexer(thread, options.store, options.onFault);
  try {
    return await recoverSpooledRecordings({ ...options, spool, unfinished: spool.unfinished(), index });
  } finally {
    await thread.close();
  }
}
