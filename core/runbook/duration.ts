const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const durationPattern = /^[0-9]{1,6}(s|m|h|d)$/;

/** Milliseconds of `90s`, `10m`, `24h`, `7d`; undefined when it is none of these. */
export function durationMs(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined;
  return Number(text.slice(0, -1)) * (unitMs[text.slice(-1)] ?? Number.NaN);
}

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
  TiB: 1_099_511_627_776,
};

/** Bytes of `10MiB`, `1GiB`, `4096`; undefined when it is none of these. */
export function byteCount(text: string): number | undefined {
  const match = /^([0-9]{1,9})(KiB|MiB|GiB|TiB)?$/.exec(text);
  if (match === null) return undefined;
  const count = Number(match[1]) * (byteUnits[match[2] ?? ''] ?? Number.NaN);
  return Number.isSafeInteger(count) ? count : undefined;
}
