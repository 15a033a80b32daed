export {
  type ChannelRecorder,
  createRecorder,
  type Recorder,
  type RecordingExit,
  type RecordingStart,
} from './recorder.ts';
export { createRecordingIndexer } from './recording-indexer.ts';
export { indexRecordings, recoverRecordings } from './recover-recordings.ts';
export { openSpool } from './spool.ts';
export type { PendingRead } from './thread/observation.ts';
export { createRecordingThread } from './thread/recording-thread.ts';
