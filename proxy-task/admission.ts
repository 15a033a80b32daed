import { sourceBlock } from './source-block.ts';

/** Why a connection is not taken; a closed list. */
export type AdmissionRefusal = 'starting-too-fast' | 'too-many-from-source';

export type AdmissionLimits = {
  /** Connections that proved who they are, at once. */
  readonly maxSessions: number;
  readonly maxConnectionsPerSource: number;
  readonly maxStartsPerSourcePerMinute: number;
};

/** One connection's place. Every function may be called more than once. */
export type Place = {
  /** The peer proved who it is, so that its place is a session's from now on; says why not where there is none left. */
  authenticated(): 'too-many-sessions' | undefined;
  leave(): void;
  /** The peer was cut for breaking the protocol or a limit: its source has so many starts less. */
  fault(): void;
};

/**
 * Counts connections by source. Only who proved an identity takes one of the sessions' places, so that a flood that stalls keeps nobody out.
 * Memory is bounded: sources that went quiet are forgotten.
 */
export type Admission = {
  enter(address: string): { readonly place: Place } | { readonly refusal: AdmissionRefusal };
  readonly sessions: number;
};

type Source = { open: number; tokens: number; refilledAtMs: number };

/** What a fault costs: with the default of 300 starts a minute, who is cut off again and again comes back each six seconds. */
const faultStarts = 30;
/** Sources remembered at most; beyond it the quiet ones are forgotten first. */
const maxSources = 10_000;

export function createAdmission(limits: AdmissionLimits, now: () => number): Admission {
  const sources = new Map<string, Source>();
  let sessions = 0;

  function enter(address: string): ReturnType<Admission['enter']> {
    const source = refill(sourceBlock(address));
    if (source.open >= limits.maxConnectionsPerSource) return { refusal: 'too-many-from-source' };
    if (source.tokens < 1) return { refusal: 'starting-too-fast' };
    source.tokens -= 1;
    source.open += 1;
    return { place: placeOf(source) };
  }

  function placeOf(source: Source): Place {
    let state: 'unauthenticated' | 'session' | 'left' = 'unauthenticated';
    return {
      authenticated() {
        if (state !== 'unauthenticated') return undefined;
        if (sessions >= limits.maxSessions) return 'too-many-sessions';
        state = 'session';
        sessions += 1;
        return undefined;
      },
      leave() {
        if (state === 'left') return;
        if (state === 'session') sessions -= 1;
        state = 'left';
        source.open -= 1;
      },
      fault() {
        source.tokens = Math.max(-limits.maxStartsPerSourcePerMinute, source.tokens - faultStarts);
      },
    };
  }

  /** A token bucket of one minute's starts: a burst is fine, a flood is not. */
  function refill(block: string): Source {
    const at = now();
    const known = sources.get(block);
    if (known === undefined) {
      if (sources.size >= maxSources) forgetQuiet();
      const tokens = limits.maxStartsPerSourcePerMinute;
      const fresh = { open: 0, tokens, refilledAtMs: at };
      sources.set(block, fresh);
      return fresh;
    }
    const earned = ((at - known.refilledAtMs) / 60_000) * limits.maxStartsPerSourcePerMinute;
    known.tokens = Math.min(limits.maxStartsPerSourcePerMinute, known.tokens + Math.max(0, earned));
    known.refilledAtMs = at;
    return known;
  }

  /** Makes room for a tenth of the map at once, oldest first, so that a flood of addresses does not pay for a scan each. */
  function forgetQuiet(): void {
    for (const [block, source] of sources) {
      if (sources.size <= maxSources * 0.9) return;
      if (source.open === 0) sources.delete(block);
    }
  }

  return {
    enter,
    get sessions() {
      return sessions;
    },
  };
}
