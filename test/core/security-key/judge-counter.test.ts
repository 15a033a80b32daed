import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SecurityKeyCounter } from '../../../core/contract/index.ts';
import { judgeCounter } from '../../../core/security-key/index.ts';

/** What is said of each counter in turn, each judged by what the ones before left. */
function judged(...counters: readonly number[]): string[] {
  let kept: SecurityKeyCounter | undefined;
  return counters.map((counter) => {
    const verdict = judgeCounter(kept, counter, 1000);
    if (verdict.kind === 'accepted' && verdict.keep !== undefined) kept = verdict.keep;
    return verdict.kind;
  });
}

const accepted = 'accepted';
const max = 0xffffffff;

describe('the counter of a security key', () => {
  it.each([
    ['ok/counts up', [1, 2, 3], [accepted, accepted, accepted]],
    [
      'ok/jumps ahead, as keys do that serve other places, too',
      [5, 1000, max],
      [accepted, accepted, accepted],
    ],
    ['ok/never counts', [0, 0, 0], [accepted, accepted, accepted]],
    ['ok/begins to count', [0, 1], [accepted, accepted]],
    ['ok/arrives out of order', [10, 12, 11, 13], [accepted, accepted, accepted, accepted]],
    ['ok/is late by the whole window', [40, 8], [accepted, accepted]],
    ['fail/is late by more than the window', [40, 7], [accepted, 'behind']],
    ['fail/comes again', [7, 7], [accepted, 'repeated']],
    ['fail/comes again at the end of its range', [max, max], [accepted, 'repeated']],
    ['fail/comes again after a higher one', [10, 12, 10], [accepted, accepted, 'repeated']],
    ['fail/comes again after it was late', [10, 12, 11, 11], [accepted, accepted, accepted, 'repeated']],
    ['fail/comes again after a jump over the whole window', [10, 42, 10], [accepted, accepted, 'repeated']],
    ['fail/goes back to where it began', [1000, 0], [accepted, 'behind']],
    ['fail/stops counting', [0, 5, 0], [accepted, accepted, 'repeated']],
  ])('%s', (_name, counters, expected) => {
    expect(judged(...counters)).toEqual(expected);
  });

  it('keeps nothing of a refusal, and writes nothing for a key that never counts', () => {
    const kept = { highest: 0, seen: 0, atMs: 1 };

    expect(judgeCounter(kept, 0, 2)).toEqual({ kind: 'accepted' });
    expect(judgeCounter({ ...kept, highest: 9 }, 9, 2)).toEqual({ kind: 'repeated' });
  });

  it('passes each number at most once, and exactly those not over 32 below the highest, whatever the order', () => {
    const near = fc.integer({ min: 1, max: 120 });
    fc.assert(
      fc.property(
        fc.array(near, { maxLength: 200 }),
        fc.integer({ min: 0, max: max - 120 }),
        (steps, base) => {
          const counters = steps.map((step) => step + base);
          const seen = new Set<number>();
          let highest = 0;
          const expected = counters.map((counter) => {
            if (seen.has(counter) && counter >= highest - 32) return 'repeated';
            if (counter < highest - 32) return 'behind';
            seen.add(counter);
            highest = Math.max(highest, counter);
            return accepted;
          });

          expect(judged(...counters)).toEqual(expected);
        },
      ),
    );
  });

  it('keeps marks of 32 bits', () => {
    let kept: SecurityKeyCounter | undefined;
    for (let counter = 1; counter <= 100; counter += 1) {
      const verdict = judgeCounter(kept, counter, 1000);
      if (verdict.kind === 'accepted' && verdict.keep !== undefined) kept = verdict.keep;
    }

    expect(kept).toEqual({ highest: 100, seen: max, atMs: 1000 });
  });
});
