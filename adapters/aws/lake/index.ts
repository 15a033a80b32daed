export { createLakeChannelSink, type LakeChannelSinkOptions } from './lake-channel-sink.ts';
export { createLakeEngine, type LakeEngineOptions } from './lake-engine.ts';
export { LakeSinkError, type LakeSinkErrorCode } from './lake-sink-error.ts';
export type { AwsCredentials } from './sign-audit-events.ts';
