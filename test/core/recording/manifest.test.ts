import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeManifest, parseManifest, RecordingError } from '../../../core/recording/index.ts';
import { exampleManifest } from './example-manifest.ts';

describe('parseManifest', () => {
  it('reads what encodeManifest wrote', () => {
    expect(parseManifest(encodeManifest(exampleManifest))).toEqual(exampleManifest);
  });

  const [first, second] = exampleManifest.chunks;
  it.each([
    ['a later version', { version: 2 }],
    ['a recording id of another session', { recordingId: `s-${'f'.repeat(32)}/c1` }],
    ['a channel that climbs', { channel: '../c1' }],
    ['no chunk', { chunks: [], bytes: 0 }],
    ['a chunk that climbs', { chunks: [{ ...first, name: '../../000000.cast.gz' }, second] }],
    ['a gap in the chunks', { chunks: [second], bytes: 20 }],
    ['a chunk twice', { chunks: [first, first], bytes: 20 }],
    ['a chunk that ends before it begins', { chunks: [{ ...first, lastSecond: -1 }, second] }],
    ['chunks out of order in time', { chunks: [{ ...first, lastSecond: 10 }, second] }],
    ['a hash in upper case', { chunks: [{ ...first, sha256: 'A'.repeat(64) }, second] }],
    ['a sum that is wrong', { bytes: 31 }],
    ['an end before the last event', { seconds: 1 }],
    ['a time no calendar has', { startedAtMs: 9e15 }],
    ['a field nobody knows', { extra: true }],
  ])('refuses %s', (_name, change) => {
    const bytes = Buffer.from(JSON.stringify({ ...exampleManifest, ...change }));

    expect(() => parseManifest(bytes)).toThrow(expect.objectContaining({ code: 'invalid-manifest' }));
  });

  it('refuses random bytes and random JSON with its own error', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(bytes, (value) => {
        expect(() => parseManifest(value)).toThrow(RecordingError);
      }),
    );
  });

  it('looks at no manifest that is too large', () => {
    expect(() => parseManifest(Buffer.alloc(33 * 1024 * 1024, ' '))).toThrow(/has over/);
  });
});
