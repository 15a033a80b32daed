export { checkSegment, type SegmentPlace, type SoundSegment } from './check-segment.ts';
export type { DigestOptions } from './digest-survey.ts';
export type { Problem, ProblemCode } from './problem.ts';
export type { Head } from './stream-state.ts';
export type { Segment } from './verify-segment.ts';
export { type Progress, type Verification, type VerifyOptions, verifyTrail } from './verify-trail.ts';
