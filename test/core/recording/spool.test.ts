import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sessionId } from '../../../core/contract/index.ts';
import {
  encodeSpoolHead,
  parseSpoolHead,
  RecorderError,
  type SpoolHead,
} from '../../../core/recording/index.ts';

const session = sessionId('s-0123456789abcdef0123456789abcdef');
const head: SpoolHead = {
  sessionId: session,
  channel: 'c1',
  kind: 'exec',
  startedAtMs: 1,
  columns: 80,
  rows: 24,
  term: '',
  command: 'uptime',
};

describe('the head of a spooled recording', () => {
  it('comes back as it was', () => {
    expect(parseSpoolHead(encodeSpoolHead(head), head)).toEqual(head);
  });

  it.each<readonly [string, object]>([
    ['another session', { ...head, sessionId: `s-${'f'.repeat(32)}` }],
    ['another channel', { ...head, channel: 'c2' }],
    ['a path for a channel', { ...head, channel: '../c1' }],
    ['a terminal without columns', { ...head, columns: 0 }],
    ['a field too many', { ...head, more: 1 }],
    ['a time that is none', { ...head, startedAtMs: 1e16 }],
  ])('is refused with %s', (_name, value) => {
    const bytes = Buffer.from(JSON.stringify(value));

    expect(() => parseSpoolHead(bytes, head)).toThrow(expect.objectContaining({ code: 'damaged' }));
  });

  it('is refused where it is of random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => parseSpoolHead(bytes, head)).toThrow(RecorderError);
      }),
    );
  });
});
