export {
  type AppendOptions,
  type ObjectJournalOptions,
  type OpenedObjectJournal,
  openObjectJournal,
} from './object-journal.ts';
export { createObjectSpool, type ObjectSpool, type ObjectSpoolOptions } from './object-spool.ts';
export { type SealOptions, type SealReport, sealDeadWriter } from './seal-dead-writer.ts';
export { type TakenStream, type TakeOverOptions, takeOverStream } from './take-over-stream.ts';
export { type VerifyObjectLakeOptions, verifyObjectLake } from './verify-object-lake.ts';
