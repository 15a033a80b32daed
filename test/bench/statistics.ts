/** Mean and extremes of repeated measurements. */
export type Summary = { readonly mean: number; readonly min: number; readonly max: number };

/** @throws RangeError for no values at all. */
export function summarise(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError('nothing was measured');
  return {
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    min: Math.min(...values),
    max: Math.max(...values),
  };
}

/** The value below or at which `share` (0 to 1) of the values lie: nearest rank. @throws RangeError for no values at all. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('nothing was measured');
  return value;
}
