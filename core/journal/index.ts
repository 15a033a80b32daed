export {
  type FaultOf,
  followChain,
  positionAfter,
  positionAfterSegment,
  sessionRecord,
  streamStart,
} from './follow-chain.ts';
export { gunzipMember, gzipMember, type MemberBytes, memberOf } from './gzip-member.ts';
export { JournalError, type JournalErrorCode, journalClosed } from './journal-error.ts';
export { refuseUnfinished, splitLines } from './line-split.ts';
export { linkDraft, type RecordSource } from './link-draft.ts';
export { type OpenSessions, trackOpenSessions } from './open-sessions.ts';
export { type RecordListeners, recordListeners } from './record-listeners.ts';
export {
  dayOf,
  parseSealedSegmentKey,
  type SealedSegment,
  sealedSegmentKey,
  sealedSegmentPrefix,
  segmentNumber,
} from './segment-key.ts';
