import { type SqlToken, sqlTokens } from './sql-tokens.ts';

/**
 * `ipv4_in_cidr(ip, cidr)` is a macro in DuckDB and unknown to Trino, where it becomes `contains(cidr, TRY_CAST(ip AS IPADDRESS))`.
 * Calls inside its own arguments stay as they are; there is no use for them.
 */
export function inlineAddressTests(sql: string): string {
  const tokens = sqlTokens(sql);
  let text = '';
  for (let at = 0; at < tokens.length; ) {
    const call = callAt(tokens, at);
    text += call === undefined ? (tokens[at]?.text ?? '') : call.text;
    at = call === undefined ? at + 1 : call.next;
  }
  return text;
}

function callAt(
  tokens: readonly SqlToken[],
  at: number,
): { readonly text: string; readonly next: number } | undefined {
  const name = tokens[at];
  if (name?.kind !== 'word' || name.text.toLowerCase() !== 'ipv4_in_cidr' || tokens[at + 1]?.text !== '(')
    return undefined;
  const parts: string[] = [''];
  let depth = 0;
  for (let next = at + 2; next < tokens.length; next += 1) {
    const text = tokens[next]?.text ?? '';
    if (text === ')' && depth === 0) {
      const [ip = '', cidr = '', ...more] = parts.map((part) => part.trim());
      if (cidr === '' || more.length > 0) return undefined;
      return { text: `contains(${cidr}, TRY_CAST(${ip} AS IPADDRESS))`, next: next + 1 };
    }
    if (text === '(') depth += 1;
    if (text === ')') depth -= 1;
    if (text === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += text;
  }
  return undefined;
}
