import {
  DuckDBArrayValue,
  DuckDBBitValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeTZValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBTypeId,
  DuckDBUnionValue,
  DuckDBUUIDValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { Cell } from '#core/contract';

/** Digits a double keeps exactly. */
const exactDigits = 15;

/** Timestamps and dates become ISO 8601 text, UTC; integers wider than 32 bits stay bigint. */
export function cell(value: DuckDBValue): Cell {
  if (value === null) return null;
  if (typeof value !== 'object') return value;
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(cell);
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([name, each]) => [name, cell(each)]));
  if (value instanceof DuckDBMapValue)
    return Object.fromEntries(value.entries.map((entry) => [keyText(entry.key), cell(entry.value)]));
  if (value instanceof DuckDBUnionValue) return cell(value.value);
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('hex');
  if (value instanceof DuckDBDecimalValue)
    return value.width <= exactDigits ? value.toDouble() : value.toString();
  return timeText(value) ?? value.toString();
}

/** The engine's name of a column's type, in Trino's words where they differ. */
export function typeName(type: DuckDBType): string {
  switch (type.typeId) {
    case DuckDBTypeId.TIMESTAMP_TZ:
      return 'timestamp with time zone';
    case DuckDBTypeId.HUGEINT:
      return 'bigint';
    default:
      return type.toString().toLowerCase();
  }
}

function keyText(key: DuckDBValue): string {
  return typeof key === 'object' && key !== null ? key.toString() : String(key);
}

function timeText(value: object): string | undefined {
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue)
    return isoText(value.micros, 1_000_000n) ?? value.toString();
  if (value instanceof DuckDBTimestampMillisecondsValue)
    return isoText(value.millis, 1_000n) ?? value.toString();
  if (value instanceof DuckDBTimestampSecondsValue) return isoText(value.seconds, 1n) ?? value.toString();
  if (value instanceof DuckDBTimestampNanosecondsValue)
    return isoText(value.nanos, 1_000_000_000n) ?? value.toString();
  if (
    value instanceof DuckDBDateValue ||
    value instanceof DuckDBTimeValue ||
    value instanceof DuckDBTimeTZValue ||
    value instanceof DuckDBIntervalValue ||
    value instanceof DuckDBUUIDValue ||
    value instanceof DuckDBBitValue
  )
    return value.toString();
  return undefined;
}

/** Milliseconds, or six digits where the value has them; undefined outside the years a Date can say. */
function isoText(ticks: bigint, ticksPerSecond: bigint): string | undefined {
  const micros = ticksPerSecond <= 1_000_000n ? ticks * (1_000_000n / ticksPerSecond) : ticks / 1_000n;
  const below = ((micros % 1_000n) + 1_000n) % 1_000n;
  const date = new Date(Number((micros - below) / 1_000n));
  if (Number.isNaN(date.getTime())) return undefined;
  const text = date.toISOString();
  return below === 0n ? text : `${text.slice(0, -1)}${below.toString().padStart(3, '0')}Z`;
}
