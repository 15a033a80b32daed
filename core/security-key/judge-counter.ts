import type { SecurityKeyCounter } from '../contract/index.ts';

export type CounterVerdict =
  /** `keep` must be stored, on the condition that nobody else changed it, before the assertion counts; absent where nothing changes. */
  | { readonly kind: 'accepted'; readonly keep?: SecurityKeyCounter }
  /** The authenticator counts each signature once: a number that came before, or from long before, is a copy's. */
  | { readonly kind: 'repeated' | 'behind' };

/** Logins side by side arrive out of order; a number further behind the highest than this is no late arrival. */
const window = 32;

/**
 * Judges the signature counter of a security key (WebAuthn §6.1.1, OpenSSH PROTOCOL.u2f) against what was kept of it: the highest
 * passes, a lower one within the window once. A key that only ever said 0 has no counter, and always passes.
 */
export function judgeCounter(
  kept: SecurityKeyCounter | undefined,
  counter: number,
  nowMs: number,
): CounterVerdict {
  if (kept === undefined) return { kind: 'accepted', keep: { highest: counter, seen: 0, atMs: nowMs } };
  const { highest, seen } = kept;
  if (highest === 0 && counter === 0) return { kind: 'accepted' };
  const ahead = counter - highest;
  if (ahead > 0)
    return { kind: 'accepted', keep: { highest: counter, seen: shifted(seen, ahead), atMs: nowMs } };
  if (ahead === 0) return { kind: 'repeated' };
  if (-ahead > window) return { kind: 'behind' };
  const bit = (1 << (-ahead - 1)) >>> 0;
  if ((seen & bit) !== 0) return { kind: 'repeated' };
  return { kind: 'accepted', keep: { highest, seen: (seen | bit) >>> 0, atMs: nowMs } };
}

/** The marks of the window after the highest went up by `ahead`; the old highest is marked, too. */
function shifted(seen: number, ahead: number): number {
  if (ahead > window) return 0;
  const mark = (1 << (ahead - 1)) >>> 0;
  // A shift by 32 would be one by none.
  return ahead === window ? mark : ((seen << ahead) | mark) >>> 0;
}
