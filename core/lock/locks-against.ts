import type { Lock, LockSelector } from '#core/contract';
import { addressMatcher } from '../configuration/index.ts';
import { namingFields } from './lock-selector.ts';

/** What is known of somebody who proved an identity. A field that is absent is not known yet, or has no value. */
export type LockFacts = {
  readonly identity?: string | undefined;
  readonly keyFingerprint?: string | undefined;
  readonly certificateSerial?: string | undefined;
  readonly sessionId: string;
  readonly sourceIp: string;
  readonly target?: string | undefined;
  readonly login?: string | undefined;
};

/** Those that fit and have not expired, the oldest first. What is not known is fitted by no lock that names it. */
export function locksAgainst(locks: Iterable<Lock>, facts: LockFacts, nowMs: number): readonly Lock[] {
  return [...locks].filter((lock) => isInForce(lock, nowMs) && fits(lock.selector, facts)).sort(oldestFirst);
}

export function fits(selector: LockSelector, facts: LockFacts): boolean {
  if (selector.all === true) return true;
  const named = namingFields.filter((name) => selector[name] !== undefined);
  if (!named.every((name) => selector[name] === facts[name])) return false;
  if (selector.source !== undefined) return addressMatcher([selector.source])(facts.sourceIp);
  // Nothing was said, which no reader of selectors lets through: that fits nobody, not everybody.
  return named.length > 0;
}

export function isInForce(lock: Lock, nowMs: number): boolean {
  return lock.expiresAtMs === undefined || lock.expiresAtMs > nowMs;
}

function oldestFirst(one: Lock, other: Lock): number {
  return one.createdAtMs - other.createdAtMs || (one.lockId < other.lockId ? -1 : 1);
}
