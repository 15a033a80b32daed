import type { BlobStore } from '#core/contract';
import {
  type PutOnRecord,
  type RecorderError,
  recoverSpooledRecordings,
  type StoredRecording,
} from '#core/recording';
import { openSpool } from './spool.ts';

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
