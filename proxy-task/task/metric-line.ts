export type Metric = {
  readonly name: string;
  readonly unit: 'Count' | 'Milliseconds' | 'Bytes' | 'Seconds';
  readonly value: number;
};

/** One line of CloudWatch's embedded metric format: the log becomes the metrics, so the task needs no right to put any. */
export function metricLine(
  namespace: string,
  dimensions: Readonly<Record<string, string>>,
  metrics: readonly Metric[],
  nowMs: number,
): string {
  return JSON.stringify({
    _aws: {
      Timestamp: Math.floor(nowMs),
      CloudWatchMetrics: [
        {
          Namespace: namespace,
          Dimensions: [Object.keys(dimensions)],
          Metrics: metrics.map(({ name, unit }) => ({ Name: name, Unit: unit })),
        },
      ],
    },
    ...dimensions,
    ...Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
  });
}
