import { type Figure, isMet, numberText, promiseText, ratioOf } from './figure.ts';

const columns = ['figure', 'sshtrail', 'beside', 'ratio', 'promise', ''] as const;

/** The figures as a person reads them, one line each under a line of column names. */
export function tableLines(figures: readonly Figure[]): readonly string[] {
  const rows = [columns, ...figures.map(rowOf)];
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => (row[index] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function rowOf(figure: Figure): readonly string[] {
  const { against } = figure;
  const met = isMet(figure);
  return [
    figure.name,
    measuredText(figure),
    against.kind === 'promise' ? '' : `${against.name} ${numberText(against.value)}`,
    numberText(ratioOf(figure)),
    promiseText(figure),
    met === undefined ? '' : met ? 'met' : 'NOT MET',
  ];
}

function measuredText({ measured, unit }: Figure): string {
  if (measured.kind === 'percentiles')
    return `p50 ${numberText(measured.p50)}, p99 ${numberText(measured.p99)} ${unit}`;
  const { value, min, max } = measured;
  const range = min === undefined || max === undefined ? '' : ` [${numberText(min)}-${numberText(max)}]`;
  return `${numberText(value)}${range} ${unit}`;
}
