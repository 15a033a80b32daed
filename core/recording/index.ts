export {
  type CastEncoder,
  type CastInput,
  createCastEncoder,
  type OmissionReason,
  type OutputStream,
  terminalSize,
} from './cast-encoder.ts';
export { type CastEvent, castEvents } from './cast-events.ts';
export { type FollowedRecording, followRecording, type LiveRecording } from './follow-recording.ts';
export {
  encodeManifest,
  type Omission,
  type OriginalFile,
  parseManifest,
  type RecordingChunk,
  type RecordingManifest,
  type RecordingMarker,
} from './manifest.ts';
export {
  type OpenedRecording,
  openRecordingAt,
  type RecordingSegment,
  recordingSegments,
} from './open-recording.ts';
export {
  createOriginalParts,
  type OriginalPart,
  type OriginalSealing,
} from './original-parts.ts';
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
export type { RecordingSummary } from './recording-summary.ts';
export { recoverSpooledRecordings, type SpoolRecovery } from './recover-recordings.ts';
export {
  createSegmentBuilder,
  type SegmentBuilder,
  type SegmentLimits,
  type SegmentStep,
} from './segment-builder.ts';
export { segmentedManifest } from './segmented-manifest.ts';
export type { Snapshot } from './snapshot-line.ts';
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
export { openedOriginal, storeOriginal } from './stored-original.ts';
export { loadManifest, recordingBytes } from './stored-recording.ts';
export type { TerminalState } from './terminal-state.ts';
export { createSequenceTracker } from './unfinished-sequence.ts';
