/** When a runbook runs by the clock. */
export type Schedule =
  | { readonly kind: 'rate'; readonly everyMs: number }
  /** AWS form: minute hour day-of-month month day-of-week year; UTC. Each set holds what matches; undefined is any. */
  | { readonly kind: 'cron'; readonly fields: readonly (ReadonlySet<number> | undefined)[] };

const minuteMs = 60_000;
const rateUnitMs: Readonly<Record<string, number>> = { minute: minuteMs, hour: 3_600_000, day: 86_400_000 };
/** Minutes looked back over at most, after the scheduler was away. */
const maxCatchUpMinutes = 400 * 24 * 60;

const fieldRanges: readonly (readonly [number, number])[] = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [1, 7],
  [1970, 2199],
];
const monthNames = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const dayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** `rate(5 minutes)` or `cron(0 6 * * ? *)`; undefined when it is neither. */
export function parseSchedule(text: string): Schedule | undefined {
  const rate = /^rate\(([1-9][0-9]{0,4}) (minute|hour|day)s?\)$/.exec(text);
  if (rate !== null)
    return { kind: 'rate', everyMs: Number(rate[1]) * (rateUnitMs[rate[2] ?? ''] ?? Number.NaN) };
  const cron = /^cron\(([^()]{1,100})\)$/.exec(text);
  const parts = cron?.[1]?.trim().split(/\s+/) ?? [];
  if (parts.length !== 6) return undefined;
  const fields: (ReadonlySet<number> | undefined)[] = [];
  for (const [index, part] of parts.entries()) {
    const field = parseField(part.toUpperCase(), index);
    if (field === 'bad') return undefined;
    fields.push(field);
  }
  return { kind: 'cron', fields };
}

/** Whether a run is due that the last one (undefined: there was none) did not cover. */
export function isScheduleDue(schedule: Schedule, lastRunMs: number | undefined, nowMs: number): boolean {
  if (schedule.kind === 'rate') return lastRunMs === undefined || nowMs - lastRunMs >= schedule.everyMs;
  const now = Math.floor(nowMs / minuteMs);
  const last = lastRunMs === undefined ? now - 1 : Math.floor(lastRunMs / minuteMs);
  const from = Math.max(last + 1, now - maxCatchUpMinutes);
  for (let minute = from; minute <= now; minute += 1) if (matches(schedule.fields, minute)) return true;
  return false;
}

function matches(fields: readonly (ReadonlySet<number> | undefined)[], minute: number): boolean {
  const date = new Date(minute * minuteMs);
  const values = [
    date.getUTCMinutes(),
    date.getUTCHours(),
    date.getUTCDate(),
    date.getUTCMonth() + 1,
    date.getUTCDay() + 1,
    date.getUTCFullYear(),
  ];
  return values.every((value, index) => fields[index]?.has(value) ?? true);
}

function parseField(part: string, index: number): ReadonlySet<number> | undefined | 'bad' {
  const [low, high] = fieldRanges[index] ?? [0, 0];
  if (part === '*' || part === '?') return undefined;
  const values = new Set<number>();
  for (const piece of part.split(',')) {
    const match = /^(\*|[A-Z]{3}|[0-9]{1,4})(?:-([A-Z]{3}|[0-9]{1,4}))?(?:\/([1-9][0-9]{0,3}))?$/.exec(piece);
    if (match === null) return 'bad';
    const from = match[1] === '*' ? low : fieldValue(match[1] ?? '', index);
    const to = match[2] === undefined ? (match[3] === undefined ? from : high) : fieldValue(match[2], index);
    const step = Number(match[3] ?? '1');
    if (!(from >= low && to <= high && from <= to)) return 'bad';
    for (let value = from; value <= to; value += step) values.add(value);
  }
  return values;
}

function fieldValue(text: string, index: number): number {
  const names = index === 3 ? monthNames : index === 4 ? dayNames : [];
  const named = names.indexOf(text);
  return named === -1 ? Number(text) : named + 1;
}
