import { describe, expect, test } from 'vitest';
import { percentile, summarise } from './statistics.ts';

describe('percentiles and summaries', () => {
  test('take the nearest rank, whatever the order of the values', () => {
    const values = [5, 1, 4, 2, 3, 10, 9, 8, 7, 6];

    expect(percentile(values, 0.5)).toBe(5);
    expect(percentile(values, 0.99)).toBe(10);
    expect(percentile(values, 0)).toBe(1);
    expect(percentile([7], 0.99)).toBe(7);
  });

  test('leave the values they were given in order', () => {
    const values = [3, 1, 2];

    percentile(values, 0.5);

    expect(values).toEqual([3, 1, 2]);
  });

  test('are a mean and the extremes', () => {
    expect(summarise([1, 2, 6])).toEqual({ mean: 3, min: 1, max: 6 });
  });

  test('refuse to speak of nothing', () => {
    expect(() => summarise([])).toThrow(RangeError);
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});
