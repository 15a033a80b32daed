/** Why a connection is not taken; a closed list. */
export type AdmissionRefusal = 'too-many-connections' | 'too-many-from-source' | 'starting-too-fast';

export type AdmissionLimits = {
  /** Connections at once, whatever their state. */
  readonly maxConnections: number;
  readonly maxConnectionsPerSource: number;
  readonly maxStartsPerSourcePerMinute: number;
};

/** Counts connections by source address. Memory is bounded: sources that went quiet are forgotten. */
export type Admission = {
  /** Takes a place, which `leave` gives back, or says why there is none. */
  enter(source: string): AdmissionRefusal | undefined;
  leave(source: string): void;
  readonly connections: number;
};

type Source = { open: number; tokens: number; refilledAtMs: number };

/** Sources remembered at most; beyond it the quiet ones are forgotten first. */
const maxSources = 10_000;

export function createAdmission(limits: AdmissionLimits, now: () => number): Admission {
  const sources = new Map<string, Source>();
  let connections = 0;

  function enter(address: string): AdmissionRefusal | undefined {
    if (connections >= limits.maxConnections) return 'too-many-connections';
    const source = refill(address);
    if (source.open >= limits.maxConnectionsPerSource) return 'too-many-from-source';
    if (source.tokens < 1) return 'starting-too-fast';
    source.tokens -= 1;
    source.open += 1;
    connections += 1;
    return undefined;
  }

  function leave(address: string): void {
    const source = sources.get(address);
    if (source === undefined || source.open === 0) return;
    source.open -= 1;
    connections -= 1;
  }

  /** A token bucket of one minute's starts: a burst is fine, a flood is not. */
  function refill(address: string): Source {
    const at = now();
    const known = sources.get(address);
    if (known === undefined) {
      if (sources.size >= maxSources) forgetQuiet();
      const fresh = { open: 0, tokens: limits.maxStartsPerSourcePerMinute, refilledAtMs: at };
      sources.set(address, fresh);
      return fresh;
    }
    const earned = ((at - known.refilledAtMs) / 60_000) * limits.maxStartsPerSourcePerMinute;
    known.tokens = Math.min(limits.maxStartsPerSourcePerMinute, known.tokens + Math.max(0, earned));
    known.refilledAtMs = at;
    return known;
  }

  /** Makes room for a tenth of the map at once, oldest first, so that a flood of addresses does not pay for a scan each. */
  function forgetQuiet(): void {
    for (const [address, source] of sources) {
      if (sources.size <= maxSources * 0.9) return;
      if (source.open === 0) sources.delete(address);
    }
  }

  return {
    enter,
    leave,
    get connections() {
      return connections;
    },
  };
}
