import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { streamName } from '#core/contract';
import { dayOf, parseSealedSegmentKey, sealedSegmentKey } from '#core/journal';

describe('the key of a sealed segment', () => {
  test('is the path that the local lake has', () => {
    const segment = { stream: streamName('task-1'), date: '2026-11-20', firstSeq: 7 };

    expect(sealedSegmentKey(segment)).toBe('events/dt=2026-11-20/task-1/000000000007.ndjson.gz');
    expect(dayOf(1_795_169_730_412)).toBe('2026-11-20');
  });

  test('says what it is the key of', () => {
    const segments = fc.record({
      stream: fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,62}$/).map(streamName),
      date: fc
        .date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true })
        .map((date) => dayOf(date.getTime())),
      firstSeq: fc.integer({ min: 1, max: 999_999_999_999 }),
    });
    fc.assert(
      fc.property(segments, (segment) => {
        expect(parseSealedSegmentKey(sealedSegmentKey(segment))).toEqual(segment);
      }),
    );
  });

  test('is told from other keys', () => {
    for (const key of [
      'events/dt=2026-11-20/task-1/7.ndjson.gz',
      'events/dt=2026-11-20/task-1/000000000007.ndjson',
      'events/dt=2026-11-20/../000000000007.ndjson.gz',
      'events/dt=2026-11-20/task-1/x/000000000007.ndjson.gz',
      'recordings/dt=2026-11-20/task-1/000000000007.ndjson.gz',
    ])
      expect(parseSealedSegmentKey(key)).toBeUndefined();
    fc.assert(fc.property(fc.string(), (key) => parseSealedSegmentKey(key) === undefined));
  });
});
