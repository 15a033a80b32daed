import { sessionId } from '../../../core/contract/index.ts';
import { type RecordingManifest, recordingId } from '../../../core/recording/index.ts';

const session = sessionId('s-0123456789abcdef0123456789abcdef');

export const exampleManifest: RecordingManifest = {
  version: 1,
  recordingId: recordingId(session, 'c1'),
  sessionId: session,
  channel: 'c1',
  kind: 'shell',
  startedAtMs: 1_700_000_000_000,
  seconds: 4.5,
  columns: 80,
  rows: 24,
  truncated: false,
  recovered: false,
  invalidBytes: 0,
  chunks: [
    { name: '000000.cast.gz', bytes: 10, sha256: 'a'.repeat(64), firstSecond: 0, lastSecond: 1.5 },
    { name: '000001.cast.gz', bytes: 20, sha256: 'b'.repeat(64), firstSecond: 1.5, lastSecond: 4 },
  ],
  bytes: 30,
};
