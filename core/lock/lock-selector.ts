import type { LockSelector } from '#core/contract';
import { addressMatcher } from '../configuration/index.ts';

/** Why a selector is none; a closed list. */
type SelectorRefusal = 'nothing-selected' | 'all-stands-alone' | 'unknown-field' | 'malformed-field';

export type ReadSelector =
  | { readonly ok: true; readonly selector: LockSelector }
  | { readonly ok: false; readonly reason: SelectorRefusal; readonly message: string };

/** The fields that name one value, with what such a value looks like. */
const patterns = {
  identity: [/^[\p{L}\p{N}][\p{L}\p{N}._@+=,-]{0,255}$/u, 'is no name of an identity'],
  keyFingerprint: [/^SHA256:[A-Za-z0-9+/]{43}$/, 'is no fingerprint; ssh-keygen -l prints them: SHA256:...'],
  certificateSerial: [/^(?:0|[1-9][0-9]{0,19})$/, 'is no serial; ssh-keygen -L prints them: digits'],
  sessionId: [/^s-[0-9a-f]{32}$/, 'is no session id; they are s- and 32 hex digits'],
  target: [/^[a-z0-9][a-z0-9._-]{0,127}$/, 'is no name of a target'],
  login: [/^[A-Za-z0-9_][A-Za-z0-9_.$-]{0,63}$/, 'is no login on a target'],
} as const satisfies Partial<Record<keyof LockSelector, readonly [RegExp, string]>>;

type NamingField = keyof typeof patterns;
export const namingFields: readonly NamingField[] = [
  'sessionId',
  'certificateSerial',
  'keyFingerprint',
  'identity',
  'target',
  'login',
];
const fields: readonly string[] = [...namingFields, 'source', 'all'];
const fieldList = 'identity, keyFingerprint, certificateSerial, sessionId, target, login, source, all';

/** Reads a selector as somebody wrote it. What would fit everybody is refused unless it says so, and so is what would fit nobody. */
export function readLockSelector(written: Readonly<Record<string, unknown>>): ReadSelector {
  const given = Object.entries(written).filter(([, value]) => value !== undefined);
  if (given.length === 0)
    return refused('nothing-selected', `say whom the lock is about: one or more of ${fieldList}`);
  const unknown = given.find(([name]) => !fields.includes(name));
  if (unknown !== undefined)
    return refused('unknown-field', `a lock cannot be about ${JSON.stringify(unknown[0])}; use ${fieldList}`);
  if ('all' in written && written['all'] !== undefined) return readAll(written['all'], given.length);
  const selector: { -readonly [Field in NamingField | 'source']?: string } = {};
  for (const name of namingFields) {
    const value = written[name];
    if (value === undefined) continue;
    const [pattern, complaint] = patterns[name];
    if (typeof value !== 'string' || !pattern.test(value)) return malformed(name, value, complaint);
    selector[name] = value;
  }
  const { source } = written;
  if (source !== undefined) {
    const problem = sourceProblem(source);
    if (typeof source !== 'string' || problem !== undefined)
      return malformed('source', source, problem ?? noRange);
    selector.source = source;
  }
  return { ok: true, selector };
}

/** `identity bob, target web-1`, in a stable order. */
export function describeSelector(selector: LockSelector): string {
  if (selector.all === true) return 'everybody';
  const words = {
    identity: 'identity',
    keyFingerprint: 'key',
    certificateSerial: 'certificate',
    sessionId: 'session',
    target: 'target',
    login: 'login',
    source: 'source',
  } as const;
  const parts = (
    ['identity', 'keyFingerprint', 'certificateSerial', 'sessionId', 'target', 'login', 'source'] as const
  ).flatMap((name) => (selector[name] === undefined ? [] : [`${words[name]} ${selector[name]}`]));
  return parts.join(', ');
}

function readAll(value: unknown, given: number): ReadSelector {
  if (value !== true) return malformed('all', value, 'is not true');
  if (given > 1)
    return refused('all-stands-alone', 'all is everybody: leave out the other fields, or leave out all');
  return { ok: true, selector: { all: true } };
}

const noRange = 'is no address or range; write 192.0.2.10, 192.0.2.0/24 or 2001:db8::/64';

function sourceProblem(source: unknown): string | undefined {
  if (typeof source !== 'string') return noRange;
  if (/^::ffff:/i.test(source)) return 'is an IPv4 address in the form of IPv6; write it as 192.0.2.10';
  try {
    addressMatcher([source]);
  } catch (error) {
    if (error instanceof RangeError) return noRange;
    throw error;
  }
  return source.endsWith('/0') ? 'is every address; say all if that is meant' : undefined;
}

function malformed(name: string, value: unknown, complaint: string): ReadSelector {
  const shown = JSON.stringify(typeof value === 'string' ? value.slice(0, 100) : typeof value);
  return refused('malformed-field', `${name} ${shown} ${complaint}`);
}

function refused(reason: SelectorRefusal, message: string): ReadSelector {
  return { ok: false, reason, message };
}
