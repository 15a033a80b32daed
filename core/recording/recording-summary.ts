import { type CastInput } from './cast-encoder.ts';
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

type Omitted = Pick<CastInput & { readonly code: 'omitted' }, 'reason' | 'fromMs' | 'bytes'>;

/** Bounded: markers beyond what a manifest holds are in the segments alone; the last omission it holds then lasts to the end. */
export type SummaryCollector = {
  marker(atMs: number, label: string): void;
  omitted(atMs: number, omission: Omitted): void;
  truncated(atMs: number): void;
  readonly summary: RecordingSummary;
};

export function createSummaryCollector(from?: RecordingSummary): SummaryCollector {
  const markers = [...(from?.markers ?? [])];
  const omissions = [...(from?.omissions ?? [])];
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
    omitted(atMs, { reason, fromMs, bytes }) {
      const from = Math.min(Math.max(0, Math.round(fromMs)), atMs);
      omit({ reason, fromSecond: from / 1000, toSecond: atMs / 1000, bytes });
    },
    truncated: (atMs) => omit({ reason: 'capped', fromSecond: atMs / 1000 }),
    get summary() {
      return { markers: [...markers], omissions: [...omissions] };
    },
  };
}
