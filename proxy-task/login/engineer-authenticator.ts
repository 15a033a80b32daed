import type {
  KeyboardInteractiveStep,
  MethodVerdict,
  OfferedKey,
  ProvenKey,
  SecurityKeyAssertion,
  ServerAuthenticator,
} from '#ssh';
import type { Claim, Identity, IdentityDirectory } from './identity-directory.ts';
import type { KeyRefusal } from './key-refusal.ts';
import type { LoginDialogue, LoginQuestion, LoginStep } from './login-question.ts';
import type { MfaProofs } from './mfa-proofs.ts';
import type { SecurityKeyCounters } from './security-key-counters.ts';

/** Who connected and how they proved it. Exists only after every signature and code was verified. */
export type ProvenEngineer = {
  readonly user: string;
  readonly identity: Identity;
  readonly authMethod: 'publickey' | 'certificate' | 'security-key';
  readonly keyFingerprint: string;
  /** Of the certificate that identified; decimal. */
  readonly certificateSerial?: string;
  /** Of a security key, or a certificate of one. */
  readonly assertion?: SecurityKeyAssertion;
  readonly forceCommand?: string;
  readonly mfa: { readonly verified: boolean; readonly method: string; readonly atMs?: number };
  /** Why they connect, in their words, where they were asked. */
  readonly reason?: string;
};

export type EngineerAuthenticator = ServerAuthenticator & {
  /** Set once authentication has succeeded. */
  readonly engineer: ProvenEngineer | undefined;
  /** Whose key is proved, as long as something that was asked then has no answer. */
  readonly unanswered: ProvenEngineer | undefined;
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
  readonly counters: SecurityKeyCounters;
  /** What is asked once the key is proved, one after the other. */
  readonly questions: readonly LoginQuestion[];
  /** Whom the gateway will refuse whatever they answer is asked nothing. The refusal itself comes after, with its reason. */
  readonly isRefused?: (engineer: ProvenEngineer) => Promise<boolean>;
  /** A second factor that was proved before. */
  readonly knownProof: MfaProofs['find'];
  /** Told of a key that signed and is not taken, before its attempt fails. */
  readonly keyRefused: (engineer: ProvenEngineer, why: KeyRefusal) => Promise<void>;
  readonly sourceAddress: string;
  /** Who proved the connection that this one is inside of: nobody else is let in, and what they proved there counts here. */
  readonly outer?: ProvenEngineer;
  readonly now: () => number;
};

const maxFingerprints = 8;

/** The decisions of the engineer's side of authentication: a key first, then whatever has to be asked. */
export function createEngineerAuthenticator(options: EngineerAuthenticatorOptions): EngineerAuthenticator {
  const { identities, counters, questions, sourceAddress, outer, now } = options;
  const failures = { count: 0, user: '', last: '', fingerprints: [] as string[] };
  let withKey: ProvenEngineer | undefined;
  let asking: { readonly question: number; readonly dialogue: LoginDialogue } | undefined;
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
      ...(key.offered.kind === 'certificate'
        ? { certificateSerial: String(key.offered.certificate.serial) }
        : {}),
      ...(assertion === undefined ? {} : { assertion }),
      ...(claimed.forceCommand === undefined ? {} : { forceCommand: claimed.forceCommand }),
    };
    const refusal = await refusalOf(claimed, candidate, counters);
    if (refusal !== undefined) {
      // What the gateway vouches for ends with the signature: nothing else of this login counts as proved.
      await options.keyRefused({ ...candidate, mfa: { verified: false, method: 'none' } }, refusal);
      told = true;
      return { kind: 'failure' };
    }
    const known = candidate.mfa.verified ? undefined : await options.knownProof(candidate);
    withKey = known === undefined ? candidate : { ...candidate, mfa: { verified: true, ...known } };
    asking = undefined;
    if ((await firstFrom(0, withKey)) !== undefined)
      return { kind: 'partial', continueWith: ['keyboard-interactive'] };
    engineer = withKey;
    return { kind: 'success' };
  }

  async function firstFrom(start: number, from: ProvenEngineer): Promise<typeof asking> {
    if (start < questions.length && (await options.isRefused?.(from)) === true) return undefined;
    for (const [index, question] of questions.entries()) {
      const dialogue = index < start ? undefined : await question.of(from);
      if (dialogue !== undefined) return { question: index, dialogue };
    }
    return undefined;
  }

  /** Asks the next question, or is done. */
  async function ask(start: number, from: ProvenEngineer): Promise<KeyboardInteractiveStep> {
    withKey = from;
    asking = await firstFrom(start, from);
    if (asking !== undefined) return stepAfter(await asking.dialogue.begin());
    engineer = from;
    return { kind: 'done', verdict: { kind: 'success' } };
  }

  async function stepAfter(step: LoginStep): Promise<KeyboardInteractiveStep> {
    if (step.kind === 'ask') return step;
    const answered = asking;
    asking = undefined;
    if (step.kind === 'refused' && step.message !== undefined)
      return { kind: 'done', verdict: { kind: 'disconnect', message: step.message } };
    if (step.kind === 'refused' || answered === undefined)
      return { kind: 'done', verdict: { kind: 'failure' } };
    return ask(answered.question + 1, step.engineer);
  }

  return {
    async acceptsKey(_user, key) {
      if (claim(key).kind === 'identity') return true;
      if (failures.fingerprints.length < maxFingerprints)
        failures.fingerprints.push(key.publicKey.fingerprint);
      return false;
    },
    keyProven,
    async startInteractive() {
      return withKey === undefined ? { kind: 'done', verdict: { kind: 'failure' } } : ask(0, withKey);
    },
    async continueInteractive(_user, responses) {
      if (asking === undefined) return { kind: 'done', verdict: { kind: 'failure' } };
      return stepAfter(await asking.dialogue.answer(responses));
    },
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
    get unanswered() {
      return engineer === undefined ? withKey : undefined;
    },
    get failures() {
      return failures;
    },
  };
}

async function refusalOf(
  claimed: Extract<Claim, { readonly kind: 'identity' }>,
  { assertion, keyFingerprint }: ProvenEngineer,
  counters: SecurityKeyCounters,
): Promise<KeyRefusal | undefined> {
  if (!claimed.sourceAllowed) return 'source-not-allowed';
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
