import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeSnapshotLine, parseSnapshotLine } from '../../../core/recording/snapshot-line.ts';

describe('the line of a snapshot', () => {
  it('gives back the snapshot, whatever the screen holds', () => {
    fc.assert(
      fc.property(
        fc.record({
          baseMs: fc.nat(),
          columns: fc.integer({ min: 1, max: 1000 }),
          rows: fc.integer({ min: 1, max: 1000 }),
          screen: fc.string({ unit: 'binary' }),
        }),
        (snapshot) => {
          const line = encodeSnapshotLine(snapshot) ?? '';

          expect(line.indexOf('\n')).toBe(line.length - 1);
          expect(parseSnapshotLine(line.trimEnd())).toEqual(snapshot);
        },
      ),
    );
  });

  it.each([
    ['fail/not json', '# snapshot {'],
    ['fail/no size', '# snapshot {"baseMs":0,"screen":""}'],
    ['fail/a size of nothing', '# snapshot {"baseMs":0,"columns":0,"rows":24,"screen":""}'],
    ['fail/a time before the start', '# snapshot {"baseMs":-1,"columns":80,"rows":24,"screen":""}'],
    ['fail/more than a snapshot', '# snapshot {"baseMs":0,"columns":80,"rows":24,"screen":"","x":1}'],
  ])('%s', (_name, line) => {
    expect(parseSnapshotLine(line)).toBe('invalid');
  });

  it('is no other comment', () => {
    expect(parseSnapshotLine('# stderr')).toBeUndefined();
    expect(parseSnapshotLine('[0.1, "o", "# snapshot {}"]')).toBeUndefined();
  });

  it('takes any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(['invalid', undefined]).toContain(parseSnapshotLine(`# snapshot ${text}`));
      }),
    );
  });

  it('is left out where it would be too large', () => {
    const screen = '\u0001'.repeat(200_000);

    expect(encodeSnapshotLine({ baseMs: 0, columns: 80, rows: 24, screen })).toBeUndefined();
  });
});
