import { metricLine } from './log.ts';

/** What functions count; the alarms of the stacks name them. */
export type FunctionMetric =
  | 'Findings'
  /** A run ended with a fault: nobody knows what it would have found. */
  | 'RunFailed'
  /** Findings that nobody takes steps for yet. */
  | 'HandOverFailed'
  /** Runs that were meant for CloudTrail Lake and went to Athena. */
  | 'LakeUnavailable'
  /** Events that CloudTrail Lake does not get. */
  | 'LakeLosses'
  | 'StepFailed'
  /** Streams that could not be sealed, and problems of the chain. */
  | 'SealFailures'
  /** Rules that open port 22 to the world. */
  | 'ExposedRules'
  /** Calls of the API that failed by a fault of ours. */
  | 'ApiFailures'
  /** Sessions that were not seen to end after they were revoked. */
  | 'RevocationUnconfirmed';

export type Count = (metric: FunctionMetric, value: number) => void;

/** Counts by lines of the log, under the namespace and dimension that the gateway and the stacks use, too. */
export function createCount(
  write: (line: string) => void,
  context: { readonly function: string; readonly now: () => number },
): Count {
  return (metric, value) =>
    write(metricLine('sshtrail', metric, value, 'Count', { Service: context.function }, context.now()));
}
