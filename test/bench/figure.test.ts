import { describe, expect, test } from 'vitest';
import { type Figure, figureJson, isMet, numberText } from './figure.ts';
import { tableLines } from './table.ts';

const throughput: Figure = {
  name: 'throughput-up',
  unit: 'MB/s',
  measured: { kind: 'value', value: 400.04, min: 380, max: 420 },
  against: {
    kind: 'baseline',
    name: 'direct',
    value: 500,
    promisedRatio: { direction: 'at-least', limit: 0.8 },
  },
};
const keystrokes: Figure = {
  name: 'keystroke-round-trip',
  unit: 'ms',
  measured: { kind: 'percentiles', p50: 0.3, p99: 0.9 },
  against: { kind: 'baseline', name: 'direct', value: 0.2 },
};
const lock: Figure = {
  name: 'lock-to-closed',
  unit: 's',
  measured: { kind: 'percentiles', p50: 0.2, p99: 1.8 },
  against: { kind: 'promise', bound: { direction: 'at-most', limit: 1.5 } },
};

describe('the JSON of a figure', () => {
  test('names the baseline with its number and has the ratio to it', () => {
    expect(figureJson(throughput)).toEqual({
      name: 'throughput-up',
      unit: 'MB/s',
      value: 400,
      against: 'direct 500 MB/s',
      ratio: 0.8001,
    });
  });

  test('has percentiles in place of a value, whose median is divided by the baseline', () => {
    expect(figureJson(keystrokes)).toEqual({
      name: 'keystroke-round-trip',
      unit: 'ms',
      p50: 0.3,
      p99: 0.9,
      against: 'direct 0.200 ms',
      ratio: 1.5,
    });
  });

  test('names a promise with its number, and divides the 99th percentile by it', () => {
    expect(figureJson(lock)).toEqual({
      name: 'lock-to-closed',
      unit: 's',
      p50: 0.2,
      p99: 1.8,
      against: 'promise <= 1.5 s',
      ratio: 1.2,
    });
  });
});

describe('a promise', () => {
  test('is met or not by the ratio to the baseline, or by the number itself', () => {
    expect(isMet(throughput)).toBe(true);
    expect(isMet({ ...throughput, measured: { kind: 'value', value: 399 } })).toBe(false);
    expect(isMet(lock)).toBe(false);
    expect(isMet({ ...lock, measured: { kind: 'percentiles', p50: 0.2, p99: 1.5 } })).toBe(true);
  });

  test('of at least so much is met from there on', () => {
    const starts: Figure = {
      name: 'session-starts',
      unit: '/s',
      measured: { kind: 'value', value: 500 },
      against: { kind: 'promise', bound: { direction: 'at-least', limit: 500 } },
    };

    expect(isMet(starts)).toBe(true);
    expect(isMet({ ...starts, measured: { kind: 'value', value: 499 } })).toBe(false);
  });

  test('that was never made is neither met nor missed', () => {
    expect(isMet(keystrokes)).toBeUndefined();
  });
});

describe('the table', () => {
  test('has a line a figure, aligned under the names of its columns', () => {
    expect(tableLines([throughput, keystrokes, lock])).toEqual([
      'figure                sshtrail                 beside        ratio  promise',
      'throughput-up         400 [380-420] MB/s       direct 500    0.800  >= 0.8 x direct  met',
      'keystroke-round-trip  p50 0.300, p99 0.900 ms  direct 0.200  1.50',
      'lock-to-closed        p50 0.200, p99 1.80 s                  1.20   <= 1.5 s         NOT MET',
    ]);
  });

  test('writes numbers with three digits and no exponent', () => {
    expect([1234.5, 99.95, 12.34, 1.234, 0.0123, -0.05].map(numberText)).toEqual([
      '1235',
      '100.0',
      '12.3',
      '1.23',
      '0.012',
      '-0.050',
    ]);
  });
});
