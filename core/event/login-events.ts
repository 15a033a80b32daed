import type { AuditDraft } from '#core/contract';
import { draft, isoTime } from './draft.ts';
import { actorOf, type LoginAttempt, type SessionFacts, targetFields } from './facts.ts';

/** What the security key asserted with its signature. */
export type SecurityKeyFacts = {
  readonly counter: number;
  readonly userPresent: boolean;
  readonly userVerified: boolean;
};

export type AuthenticationOutcome = (
  | { readonly kind: 'success' }
  | {
      readonly kind: 'failure';
      readonly errorCode: 'AuthenticationFailed' | 'MfaFailed' | 'MfaRequired';
      /** E.g. `unknown-key`, `expired-certificate`, `wrong-code`. */
      readonly reason: string;
      readonly message: string;
    }
) & { readonly securityKey?: SecurityKeyFacts | undefined };

export function authenticateUser(
  who: SessionFacts | LoginAttempt,
  atMs: number,
  outcome: AuthenticationOutcome,
): AuditDraft {
  return draft('AuthenticateUser', atMs, actorOf(who, atMs), {
    request: targetFields(who),
    response: { outcome: outcome.kind },
    additional: {
      securityKeyCounter: outcome.securityKey?.counter,
      securityKeyTouched: outcome.securityKey?.userPresent,
      securityKeyUserVerified: outcome.securityKey?.userVerified,
    },
    refusal:
      outcome.kind === 'success'
        ? undefined
        : { errorCode: outcome.errorCode, denyReason: outcome.reason, message: outcome.message },
  });
}

export function challengeMfa(
  who: SessionFacts | LoginAttempt,
  atMs: number,
  what: {
    readonly method: string;
    readonly outcome: 'asked' | 'passed' | 'failed';
    readonly reason?: string;
    /** Where one of them was used. */
    readonly recoveryCodesLeft?: number;
  },
): AuditDraft {
  return draft('ChallengeMfa', atMs, actorOf(who, atMs), {
    request: { ...targetFields(who), factor: what.method },
    response: { outcome: what.outcome, recoveryCodesLeft: what.recoveryCodesLeft },
    refusal:
      what.outcome === 'failed'
        ? {
            errorCode: 'MfaFailed',
            denyReason: what.reason ?? 'wrong-code',
            message: 'the second factor was not proven; try again with a new code',
          }
        : undefined,
  });
}

export function verifyHostKey(
  facts: SessionFacts,
  atMs: number,
  what: {
    readonly keyType: string;
    readonly fingerprint: string;
    readonly trust: 'pinned' | 'authority';
    readonly outcome: 'ok' | 'mismatch';
    /** Fingerprints that would have been accepted. */
    readonly expected?: readonly string[];
  },
): AuditDraft {
  return draft('VerifyHostKey', atMs, actorOf(facts, atMs), {
    request: {
      ...targetFields(facts),
      hostTrust: what.trust,
      expectedFingerprints: what.expected?.join(' '),
    },
    response: { hostKeyType: what.keyType, hostKeyFingerprint: what.fingerprint, outcome: what.outcome },
    refusal:
      what.outcome === 'ok'
        ? undefined
        : {
            errorCode: 'HostKeyMismatch',
            denyReason: 'host-key-changed',
            message: `the host key of ${facts.target.name} is not the trusted one; find out why before changing the inventory`,
          },
  });
}

export function issueCertificate(
  facts: SessionFacts,
  atMs: number,
  what: {
    readonly keyId: string;
    readonly serial: bigint | string;
    readonly principals: readonly string[];
    readonly validFromMs?: number;
    readonly validToMs: number;
    readonly authorityFingerprint?: string;
  },
): AuditDraft {
  return draft('IssueCertificate', atMs, actorOf(facts, atMs), {
    request: { ...targetFields(facts), principals: what.principals.join(',') },
    response: {
      keyId: what.keyId,
      serial: what.serial,
      validFrom: isoTime(what.validFromMs),
      validTo: isoTime(what.validToMs),
      authorityFingerprint: what.authorityFingerprint,
    },
  });
}

export function authenticateTarget(
  facts: SessionFacts,
  atMs: number,
  what: {
    /** The address the target sees, absent where no connection came about. */
    readonly egressIp?: string | undefined;
    readonly egressPort?: number | undefined;
    readonly method: string;
    readonly outcome:
      | { readonly kind: 'ok' }
      | { readonly kind: 'refused' | 'unreachable'; readonly message: string };
  },
): AuditDraft {
  const { outcome } = what;
  return draft('AuthenticateTarget', atMs, actorOf(facts, atMs), {
    request: { ...targetFields(facts), targetAuthMethod: what.method },
    response: { outcome: outcome.kind },
    additional: { egressIp: what.egressIp, egressPort: what.egressPort },
    refusal:
      outcome.kind === 'ok'
        ? undefined
        : {
            errorCode: outcome.kind === 'refused' ? 'TargetRefused' : 'TargetUnreachable',
            message: outcome.message,
          },
  });
}

/** A connection without a target of its own began: it carries connections to targets (`ssh -J`). Its id is their `jumpId`. */
export function openJump(who: LoginAttempt, atMs: number): AuditDraft {
  return draft('OpenJump', atMs, actorOf(who, atMs), {});
}

export function closeJump(
  who: LoginAttempt,
  atMs: number,
  what: {
    /** Connections it carried, also those that were not let in. */
    readonly sessions: number;
    readonly seconds: number;
    readonly reason: string;
  },
): AuditDraft {
  return draft('CloseJump', atMs, actorOf(who, atMs), {
    response: { sessions: what.sessions, seconds: what.seconds, detail: what.reason },
  });
}
