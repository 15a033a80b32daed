/** `from_iso8601_timestamp('...Z')`: a timestamp with time zone that every engine reads the same way. */
export function timestampLiteral(ms: number): string {
  return `from_iso8601_timestamp('${new Date(ms).toISOString()}')`;
}

/** `'YYYY-MM-DD'` of the UTC day. */
export function dayLiteral(ms: number): string {
  return `'${new Date(ms).toISOString().slice(0, 10)}'`;
}

/** A quoted text. No engine here reads backslashes in it, so doubling the quote is all there is to do. */
export function textLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** `INTERVAL 'n' SECOND`; whole seconds. */
export function intervalLiteral(ms: number): string {
  return `INTERVAL '${Math.trunc(ms / 1000)}' SECOND`;
}
