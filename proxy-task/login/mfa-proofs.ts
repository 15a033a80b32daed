import type { ControlStore } from '#core/contract';
import type { ProvenEngineer } from './engineer-authenticator.ts';

/**
 * Second factors that were proved a short while ago, so that a program which connects many times, such as Ansible, is asked once. A proof
 * is good for the same identity, key and source address alone, until the grace is over; to use it does not make it last.
 */
export type MfaProofs = {
  find(engineer: ProvenEngineer): Promise<KnownProof | undefined>;
  /** Of an engineer who has just answered with a code. */
  keep(engineer: ProvenEngineer): Promise<void>;
};

export type KnownProof = { readonly method: string; readonly atMs: number };

export function createMfaProofs(options: {
  readonly control: ControlStore;
  /** 0: every connection is asked. */
  readonly graceMs: number;
  readonly sourceAddress: string;
  readonly now: () => number;
}): MfaProofs {
  const { control, graceMs, sourceAddress, now } = options;
  // None of the three has a blank in it.
  const idOf = ({ identity, keyFingerprint }: ProvenEngineer) =>
    `${identity.name} ${keyFingerprint} ${sourceAddress}`;
  return {
    async find(engineer) {
      if (graceMs === 0 || engineer.identity.type === 'service') return undefined;
      const stored = await control.get('proof', idOf(engineer));
      if (stored === undefined) return undefined;
      const { identity, keyFingerprint, sourceIp, method, atMs } = stored.data;
      const isTheirs =
        identity === engineer.identity.name &&
        keyFingerprint === engineer.keyFingerprint &&
        sourceIp === sourceAddress;
      // The grace may have been made shorter since.
      return isTheirs && now() - atMs < graceMs ? { method, atMs } : undefined;
    },
    async keep(engineer) {
      const { identity, keyFingerprint, mfa } = engineer;
      if (graceMs === 0 || !mfa.verified || mfa.atMs === undefined) return;
      const { method, atMs } = mfa;
      const proof = { identity: identity.name, keyFingerprint, sourceIp: sourceAddress, method, atMs };
      await control.put('proof', idOf(engineer), proof, { kind: 'any' }, atMs + graceMs);
    },
  };
}
