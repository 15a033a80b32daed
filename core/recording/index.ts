export {
  type CastEncoder,
  type CastInput,
  createCastEncoder,
  type OutputStream,
  terminalSize,
} from './cast-encoder.ts';
export { type CastEvent, castEvents } from './cast-events.ts';
export { encodeManifest, parseManifest, type RecordingChunk, type RecordingManifest } from './manifest.ts';
export { type PlayOptions, play } from './play.ts';
export { createPlaybackFilter } from './playback-filter.ts';
export { RecorderError, type RecorderErrorCode } from './recorder-error.ts';
export { RecordingError, type RecordingErrorCode } from './recording-error.ts';
export {
  type ChannelName,
  isChannelName,
  manifestKey,
  recordingId,
  recordingPrefix,
} from './recording-key.ts';
export { recoverSpooledRecordings, type SpoolRecovery } from './recover-recordings.ts';
export {
  castHeader,
  encodeSpoolHead,
  parseSpoolHead,
  type Spool,
  type SpoolChannel,
  type SpoolHead,
} from './spool.ts';
export {
  type ChunkTimes,
  type PutOnRecord,
  type StoredRecording,
  storeChunk,
  storeManifest,
} from './store-recording.ts';
export { loadManifest, recordingBytes } from './stored-recording.ts';
