import type { Cell, Row } from '#core/contract';
import { type ColumnType, cloudTrailColumns, eventColumns, uniqueNames } from '#core/lake';
import { isoText } from '../athena/athena-cells.ts';

/** A row as GetQueryResults has it: one map for each column, with that one entry. */
export type LakeRow = readonly Readonly<Record<string, string>>[];

/** What columns of these names hold wherever the derived tables are read. */
const knownTypes: ReadonlyMap<string, ColumnType> = new Map([
  ...[...cloudTrailColumns, ...eventColumns].map(({ name, type }): [string, ColumnType] => [name, type]),
  ['started_at', 'time'],
  ['ended_at', 'time'],
  ['still_open', 'flag'],
]);

/** Names of the columns that these rows have, in order of appearance. */
export function lakeColumnNames(rows: readonly LakeRow[]): readonly string[] {
  return [...new Set(rows.flatMap(namesOf))];
}

function namesOf(row: LakeRow): readonly string[] {
  return uniqueNames(row.map((each) => Object.keys(each)[0] ?? ''));
}

/** The type that a column of this name is read as. */
export function lakeColumnType(name: string): string {
  switch (knownTypes.get(name)) {
    case 'flag':
      return 'boolean';
    case 'count':
      return 'bigint';
    case 'time':
      return 'timestamp with time zone';
    default:
      return 'varchar';
  }
}

/**
 * CloudTrail Lake gives every value as text and says nothing of types. A column with the name of one of ours is read as that column's
 * type, and as text where the value is no such thing. Elsewhere a value that is printed as Trino prints a time with its zone becomes
 * ISO 8601, and everything else stays text. The word `null` is how NULL is printed, so a text that is this word reads as NULL.
 */
export function lakeRow(names: readonly string[], row: LakeRow): Row {
  const own = namesOf(row);
  const texts = new Map(own.map((name, index) => [name, Object.values(row[index] ?? {})[0]]));
  return Object.fromEntries(
    [...new Set([...names, ...own])].map((name): [string, Cell] => [name, lakeCell(name, texts.get(name))]),
  );
}

function lakeCell(name: string, text: string | undefined): Cell {
  // The service may leave a value out, too.
  if (text === undefined || text === 'null') return null;
  switch (knownTypes.get(name)) {
    case 'flag':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'count':
      return /^-?[0-9]{1,19}$/.test(text) ? BigInt(text) : text;
    case 'time':
      return isoText(text) ?? text;
    case 'text':
      return text;
    default:
      return text.endsWith(' UTC') ? (isoText(text) ?? text) : text;
  }
}
