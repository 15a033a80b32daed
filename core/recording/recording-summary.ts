import type { CastInput } from './cast-encoder.ts';
import {
  maxMarkerLength,
  maxMarkers,
  maxOmissions,
  type Omission,
  type RecordingMarker,
} from './manifest.ts';

/** What a manifest says of a recording beside its chunks. */
export type RecordingSummary = {
  readonly markers: readonly RecordingMarker[];
  readonly omissions: readonly Omission[];
};

export type SummaryCollector = {
  marker(atMs: number, label: string): void;
  omitted(
    atMs: number,
    omission: Pick<CastInput & { readonly code: 'omitted' }, 'reason' | 'fromMs' | 'bytes'>,
  ): void;
  truncated(atMs: number): void;
  summary(): RecordingSummary;
};

/** Bounded: markers and omissions beyond what a manifest holds are in the segments alone, and the last omission is made to say so. */
export function createSummaryCollector(): SummaryCollector {
  const markers: RecordingMarker[] = [];
  const omissions: Omission[] = [];
  const omit = (omission: Omission): void => {
    if (omissions.length < maxOmissions) omissions.push(omission);
    else {
      const { reason, fromSecond } = omissions.at(-1) ?? omission;
      omissions[maxOmissions - 1] = { reason, fromSecond };
    }
  };
  return {
    marker(atMs, label) {
      if (markers.length < maxMarkers)
        markers.push({ second: atMs / 1000, label: label.slice(0, maxMarkerLength).toWellFormed() });
    },
    omitted: (atMs, { reason, fromMs, bytes }) =>
      omit({
        reason,
        fromSecond: Math.min(Math.max(0, Math.round(fromMs)), atMs) / 1000,
        toSecond: atMs / 1000,
        bytes,
      }),
    truncated: (atMs) => omit({ reason: 'capped', fromSecond: atMs / 1000 }),
    summary: () => ({ markers: [...markers], omissions: [...omissions] }),
  };
}
