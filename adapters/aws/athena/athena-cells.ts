import type { Cell } from '#core/contract';

/** A value as GetQueryResults has it: text, or nothing for NULL. */
export type AthenaDatum = { readonly VarCharValue?: string | undefined };

/** Digits a double keeps exactly. */
const exactDigits = 15;

/**
 * The value of a column of that type. Athena prints arrays, maps and rows in a way that cannot be read back (`[a, b]` may be one or
 * two texts), so they stay as printed; `json_format(CAST(x AS json))` or `array_join` in the statement makes them plain.
 */
export function athenaCell(type: string, datum: AthenaDatum | undefined): Cell {
  const text = datum?.VarCharValue;
  if (text === undefined) return null;
  switch (type) {
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'tinyint':
    case 'smallint':
    case 'integer':
    case 'int':
      return /^-?[0-9]{1,10}$/.test(text) ? Number(text) : text;
    case 'bigint':
      return /^-?[0-9]{1,19}$/.test(text) ? BigInt(text) : text;
    case 'double':
    case 'float':
    case 'real':
      return numberOf(text);
    case 'decimal':
      return text.replace(/[^0-9]/g, '').length <= exactDigits ? numberOf(text) : text;
    case 'timestamp':
    case 'timestamp with time zone':
      return isoText(text) ?? text;
    default:
      return text;
  }
}

/**
 * `2026-11-20 10:15:30.412 UTC`, or without the zone, as ISO 8601: milliseconds, or six digits where the value has them.
 * Undefined for another form: a zone that is not UTC stays as it was printed.
 */
export function isoText(text: string): string | undefined {
  const match =
    /^([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,12}))?(?: (?:UTC|Z|\+00:00))?$/.exec(
      text,
    );
  if (match === null) return undefined;
  const [, day, time, fraction = ''] = match;
  const micros = fraction.slice(0, 6).padEnd(6, '0');
  const iso = `${day}T${time}.${micros.endsWith('000') ? micros.slice(0, 3) : micros}Z`;
  return Number.isNaN(Date.parse(iso)) ? undefined : iso;
}

function numberOf(text: string): Cell {
  if (text === 'NaN') return Number.NaN;
  if (text === 'Infinity') return Number.POSITIVE_INFINITY;
  if (text === '-Infinity') return Number.NEGATIVE_INFINITY;
  return /^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(text) ? Number(text) : text;
}
