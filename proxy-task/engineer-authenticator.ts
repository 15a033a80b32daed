import type {
  KeyboardInteractiveStep,
  MethodVerdict,
  OfferedKey,
  ProvenKey,
  SecurityKeyAssertion,
  ServerAuthenticator,
} from '#ssh';
import type { Claim, Identity, IdentityDirectory } from './identity-directory.ts';
import type { SecurityKeyCounters } from './security-key-counters.ts';
import type { SecurityKeyRefusal } from './security-key-refusal.ts';

/** A second factor, looked at once per code. */
export type SecondFactor = {
  /** `accepted` counts as proof now; the others say why not, in a closed list. */
  check(identity: Identity, code: string): Promise<'accepted' | 'malformed' | 'wrong' | 'reused' | 'locked'>;
};

/** Who connected and how they proved it. Exists only after every signature and code was verified. */
export type ProvenEngineer = {
  readonly user: string;
  readonly identity: Identity;
  readonly authMethod: 'publickey' | 'certificate' | 'security-key';
  readonly keyFingerprint: string;
  /** Of a security key, or a certificate of one. */
  readonly assertion?: SecurityKeyAssertion;
  readonly forceCommand?: string;
  readonly mfa: { readonly verified: boolean; readonly method: string; readonly atMs?: number };
};

/** What is told to the events while somebody authenticates. */
export type AuthenticationWitness = {
  challenged(engineer: ProvenEngineer): Promise<void>;
  securityKeyRefused(engineer: ProvenEngineer, why: SecurityKeyRefusal): Promise<void>;
  codeRefused(engineer: ProvenEngineer, why: string): Promise<void>;
};

export type EngineerAuthenticator = ServerAuthenticator & {
  /** Set once authentication has succeeded. */
  readonly engineer: ProvenEngineer | undefined;
  /** What was refused so far, bounded; for one event at the end of a connection that never got in. */
  readonly failures: {
    readonly count: number;
    readonly user: string;
    readonly last: string;
    readonly fingerprints: readonly string[];
  };
};

export type EngineerAuthenticatorOptions = {
  readonly identities: IdentityDirectory;
  readonly secondFactor: SecondFactor;
  readonly counters: SecurityKeyCounters;
  readonly witness: AuthenticationWitness;
  readonly sourceAddress: string;
  /** Who proved the connection that this one is inside of: nobody else is let in, and what they proved there counts here. */
  readonly outer?: ProvenEngineer;
  readonly now: () => number;
  /** Would a code help this engineer? False when policy denies either way, so that nobody is asked in vain. */
  readonly wantsCode: (engineer: ProvenEngineer) => Promise<boolean>;
};

const maxFingerprints = 8;

/** The decisions of the engineer's side of authentication: a key first, then a code where the identity has a second factor. */
export function createEngineerAuthenticator(options: EngineerAuthenticatorOptions): EngineerAuthenticator {
  const { identities, secondFactor, counters, witness, sourceAddress, outer, now, wantsCode } = options;
  const failures = { count: 0, user: '', last: '', fingerprints: [] as string[] };
  let withKey: ProvenEngineer | undefined;
  let engineer: ProvenEngineer | undefined;
  /** The refusal that comes next has an event of its own already. */
  let told = false;

  function claim(key: OfferedKey) {
    const claimed = identities.claimedBy(key, sourceAddress, Math.floor(now() / 1000));
    if (outer === undefined || claimed.kind === 'nobody') return claimed;
    return claimed.identity.name === outer.identity.name ? claimed : ({ kind: 'nobody' } as const);
  }

  async function keyProven(user: string, key: ProvenKey): Promise<MethodVerdict> {
    const claimed = claim(key.offered);
    if (claimed.kind === 'nobody') return { kind: 'failure' };
    const { assertion } = key;
    const candidate: ProvenEngineer = {
      user,
      identity: claimed.identity,
      authMethod: methodOf(key),
      keyFingerprint: key.offered.publicKey.fingerprint,
      mfa: provedMfa(assertion?.userVerified === true, claimed.mfa ?? provedOutside(outer), now()),
      ...(assertion === undefined ? {} : { assertion }),
      ...(claimed.forceCommand === undefined ? {} : { forceCommand: claimed.forceCommand }),
    };
    const refusal = await securityKeyRefusal(claimed, candidate, counters);
    if (refusal !== undefined) {
      // What the gateway vouches for ends with the signature: nothing else of this login counts as proved.
      await witness.securityKeyRefused({ ...candidate, mfa: { verified: false, method: 'none' } }, refusal);
      told = true;
      return { kind: 'failure' };
    }
    withKey = candidate;
    const hasCode = !withKey.mfa.verified && claimed.identity.totpSecret !== undefined;
    if (hasCode && (await wantsCode(withKey)))
      return { kind: 'partial', continueWith: ['keyboard-interactive'] };
    engineer = withKey;
    return { kind: 'success' };
  }

  async function startInteractive(): Promise<KeyboardInteractiveStep> {
    if (withKey?.identity.totpSecret === undefined) return { kind: 'done', verdict: { kind: 'failure' } };
    await witness.challenged(withKey);
    const prompts = [{ text: 'Verification code: ', echo: false }];
    return {
      kind: 'ask',
      request: { name: '', instruction: `Second factor of ${withKey.identity.name}`, prompts },
    };
  }

  async function continueInteractive(
    _user: string,
    responses: readonly string[],
  ): Promise<KeyboardInteractiveStep> {
    if (withKey === undefined) return { kind: 'done', verdict: { kind: 'failure' } };
    const outcome = await secondFactor.check(withKey.identity, (responses[0] ?? '').trim());
    if (outcome !== 'accepted') {
      await witness.codeRefused(withKey, outcome);
      return { kind: 'done', verdict: { kind: 'failure' } };
    }
    engineer = { ...withKey, mfa: { verified: true, method: 'totp', atMs: now() } };
    return { kind: 'done', verdict: { kind: 'success' } };
  }

  return {
    async acceptsKey(_user, key) {
      if (claim(key).kind === 'identity') return true;
      if (failures.fingerprints.length < maxFingerprints)
        failures.fingerprints.push(key.publicKey.fingerprint);
      return false;
    },
    keyProven,
    startInteractive,
    continueInteractive,
    async attemptFailed(user, method, why) {
      if (told) {
        told = false;
        return;
      }
      failures.count += 1;
      failures.user = user;
      failures.last = `${method}: ${why}`;
    },
    get engineer() {
      return engineer;
    },
    get failures() {
      return failures;
    },
  };
}

async function securityKeyRefusal(
  claimed: Extract<Claim, { readonly kind: 'identity' }>,
  { assertion, keyFingerprint }: ProvenEngineer,
  counters: SecurityKeyCounters,
): Promise<SecurityKeyRefusal | undefined> {
  if (claimed.verifyRequired && assertion?.userVerified !== true) return 'security-key-user-not-verified';
  if (assertion === undefined) return undefined;
  if (claimed.touchRequired && !assertion.userPresent) return 'security-key-not-touched';
  const outcome = await counters.check(keyFingerprint, assertion.counter);
  return outcome === 'accepted' ? undefined : `security-key-counter-${outcome}`;
}

function provedOutside(outer: ProvenEngineer | undefined) {
  if (outer?.mfa.verified !== true || outer.mfa.atMs === undefined) return undefined;
  return { method: outer.mfa.method, atMs: outer.mfa.atMs };
}

function provedMfa(
  verifiedByKey: boolean,
  issued: { readonly method: string; readonly atMs: number } | undefined,
  nowMs: number,
): ProvenEngineer['mfa'] {
  if (verifiedByKey) return { verified: true, method: 'fido2', atMs: nowMs };
  return issued === undefined ? { verified: false, method: 'none' } : { verified: true, ...issued };
}

function methodOf(key: ProvenKey): ProvenEngineer['authMethod'] {
  if (key.offered.kind === 'certificate') return 'certificate';
  return key.assertion === undefined ? 'publickey' : 'security-key';
}
