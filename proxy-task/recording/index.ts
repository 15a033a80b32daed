export { type ChannelRecorder, createRecorder, type Recorder, type RecordingExit } from './recorder.ts';
export { recoverRecordings } from './recover-recordings.ts';
