export type { Problem, ProblemCode } from './problem.ts';
export type { Head } from './stream-state.ts';
export { type Segment, type Verification, type VerifyOptions, verifyTrail } from './verify-trail.ts';
