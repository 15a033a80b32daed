export {
  type ChannelRecorder,
  createRecorder,
  type Recorder,
  type RecordingExit,
  type RecordingStart,
} from './recorder.ts';
export { recoverRecordings } from './recover-recordings.ts';
export type { PendingRead } from './thread/observation.ts';
