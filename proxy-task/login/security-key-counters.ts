import type { ControlStore } from '#core/contract';
import { judgeCounter } from '#core/security-key';

export type SecurityKeyCounters = {
  /** Looks at the counter of an assertion whose signature verified, and keeps it. `busy`: other gateways kept changing it. */
  check(fingerprint: string, counter: number): Promise<'accepted' | 'repeated' | 'behind' | 'busy'>;
};

/** Tries at an item that other gateways keep changing; within this one, logins by one key wait for each other. */
const maxConflicts = 16;

/** The counters of security keys in the control store: a copied key is found whichever gateway either of the two comes to. */
export function createSecurityKeyCounters(control: ControlStore, now: () => number): SecurityKeyCounters {
  /** The last check under way of each key; of as many keys as there are connections that authenticate. */
  const underWay = new Map<string, Promise<unknown>>();

  async function judgeAndKeep(fingerprint: string, counter: number) {
    for (let conflict = 0; conflict < maxConflicts; conflict += 1) {
      const stored = await control.get('counter', fingerprint);
      const verdict = judgeCounter(stored?.data, counter, now());
      if (verdict.kind !== 'accepted' || verdict.keep === undefined) return verdict.kind;
      const condition =
        stored === undefined
          ? ({ kind: 'absent' } as const)
          : ({ kind: 'version', version: stored.version } as const);
      const version = await control.put('counter', fingerprint, verdict.keep, condition);
      if (version !== undefined) return 'accepted';
    }
    return 'busy';
  }

  return {
    async check(fingerprint, counter) {
      const before = underWay.get(fingerprint) ?? Promise.resolve();
      const judge = () => judgeAndKeep(fingerprint, counter);
      // Whatever became of the one before is told to whoever asked for it.
      const turn = before.then(judge, judge);
      underWay.set(fingerprint, turn);
      try {
        return await turn;
      } finally {
        if (underWay.get(fingerprint) === turn) underWay.delete(fingerprint);
      }
    },
  };
}
