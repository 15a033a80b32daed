/** A number that was promised. */
export type Bound = { readonly direction: 'at-least' | 'at-most'; readonly limit: number };

export type Measured =
  | { readonly kind: 'value'; readonly value: number; readonly min?: number; readonly max?: number }
  | { readonly kind: 'percentiles'; readonly p50: number; readonly p99: number };

/** What a figure stands beside: something else measured in the same run, or a promise. */
export type Comparison =
  | {
      readonly kind: 'baseline';
      readonly name: string;
      /** In the figure's unit; the median where the figure has percentiles. */
      readonly value: number;
      readonly promisedRatio?: Bound;
    }
  | { readonly kind: 'promise'; readonly bound: Bound };

export type Figure = {
  readonly name: string;
  readonly unit: string;
  readonly measured: Measured;
  readonly against: Comparison;
};

/** One figure as `--json` writes it. */
export type FigureJson = {
  readonly name: string;
  readonly unit: string;
  readonly against: string;
  readonly ratio: number;
} & ({ readonly value: number } | { readonly p50: number; readonly p99: number });

/** Measured divided by baseline: a median by a median, and what a promise speaks of, a value or a 99th percentile, by the promise. */
export function ratioOf({ measured, against }: Figure): number {
  if (measured.kind === 'value') return measured.value / baselineOf(against);
  return (against.kind === 'baseline' ? measured.p50 : measured.p99) / baselineOf(against);
}

/** Undefined where nothing was promised. */
export function isMet(figure: Figure): boolean | undefined {
  const { against } = figure;
  const bound = against.kind === 'promise' ? { ...against.bound, limit: 1 } : against.promisedRatio;
  if (bound === undefined) return undefined;
  const ratio = ratioOf(figure);
  return bound.direction === 'at-least' ? ratio >= bound.limit : ratio <= bound.limit;
}

/** What was promised of the figure, or ''. */
export function promiseText({ against, unit }: Figure): string {
  if (against.kind === 'promise') return `${boundText(against.bound)} ${unit}`;
  return against.promisedRatio === undefined ? '' : `${boundText(against.promisedRatio)} x ${against.name}`;
}

/** Three digits that count, without an exponent. */
export function numberText(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(size >= 1 ? 2 : 3);
}

export function figureJson(figure: Figure): FigureJson {
  const { name, unit, measured } = figure;
  const rest = { against: againstText(figure), ratio: rounded(ratioOf(figure)) };
  return measured.kind === 'value'
    ? { name, unit, value: rounded(measured.value), ...rest }
    : { name, unit, p50: rounded(measured.p50), p99: rounded(measured.p99), ...rest };
}

function againstText({ against, unit }: Figure): string {
  return against.kind === 'promise'
    ? `promise ${boundText(against.bound)} ${unit}`
    : `${against.name} ${numberText(against.value)} ${unit}`;
}

function baselineOf(against: Comparison): number {
  return against.kind === 'promise' ? against.bound.limit : against.value;
}

function boundText({ direction, limit }: Bound): string {
  return `${direction === 'at-least' ? '>=' : '<='} ${limit}`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
