export { type DescribedSegment, describeSegment, recordingOf } from './describe-segment.ts';
export {
  type CoveredRecording,
  type CoveredSegment,
  type Digest,
  type DigestStatement,
  digestKey,
  maxDigestBytes,
  noDigestHash,
  parseDigest,
  parseDigestKey,
  type StreamReference,
} from './digest.ts';
export { DigestError, type DigestErrorCode } from './digest-error.ts';
export {
  type DigestHead,
  DigestStream,
  type DigestStreamOptions,
  digestHead,
  newestDigest,
  resumeDigests,
} from './digest-stream.ts';
export { type DigestKey, digestKeyOf, isSignedBy } from './signature.ts';
