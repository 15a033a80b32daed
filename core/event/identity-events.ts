import type { AuditDraft } from '#core/contract';
import { draft, isoTime, type Refusal } from './draft.ts';
import { authorIdentity, type MfaFacts } from './facts.ts';

/** A second factor for an identity; on record before it is given out. One that is not active waits for its first code. `by` is an operating system user. */
export function enrollFactor(
  by: string,
  atMs: number,
  what: {
    readonly identity: string;
    readonly recoveryCodes: number;
    readonly replaced: boolean;
    readonly active: boolean;
  },
): AuditDraft {
  const { identity, ...response } = what;
  return draft('EnrollFactor', atMs, actorBy(by), {
    request: { subjectName: identity, factor: 'totp' },
    response,
  });
}

/** A code for a factor that waited for its first one: it counts from now on, or the code was refused. */
export function confirmFactor(
  by: string,
  atMs: number,
  what: { readonly identity: string } & ({ readonly replaced: boolean } | { readonly denyReason: string }),
): AuditDraft {
  const request = { subjectName: what.identity, factor: 'totp' };
  if ('replaced' in what)
    return draft('ConfirmFactor', atMs, actorBy(by), { request, response: { replaced: what.replaced } });
  const { denyReason } = what;
  const message = `the code was refused (${denyReason})`;
  return draft('ConfirmFactor', atMs, actorBy(by), {
    request,
    refusal: { errorCode: 'MfaFailed', denyReason, message },
  });
}

/** The identity's second factor is gone, and so is what it vouched for. */
export function removeFactor(
  by: string,
  atMs: number,
  what: { readonly identity: string; readonly reason: string },
): AuditDraft {
  return draft('RemoveFactor', atMs, actorBy(by), {
    request: { subjectName: what.identity, factor: 'totp', reason: what.reason },
  });
}

/** A certificate for an engineer, by somebody who may read the authority's key. On record before it is given out. */
export function issueLoginCertificate(
  by: string,
  atMs: number,
  what: {
    readonly principal: string;
    readonly mfa: MfaFacts;
    readonly keyId: string;
    readonly keyFingerprint: string;
    readonly serial: bigint;
    readonly validFromMs: number;
    readonly validToMs: number;
    readonly authorityFingerprint: string;
  },
): AuditDraft {
  const { mfa } = what;
  return draft('IssueCertificate', atMs, actorBy(by), {
    request: { principals: what.principal, keyFingerprint: what.keyFingerprint },
    response: {
      keyId: what.keyId,
      serial: what.serial,
      validFrom: isoTime(what.validFromMs),
      validTo: isoTime(what.validToMs),
      authorityFingerprint: what.authorityFingerprint,
    },
    additional: { mfaAuthenticated: mfa.verified, mfaMethod: mfa.method, mfaAt: isoTime(mfa.atMs) },
  });
}

/** One that was asked for and not given. */
export function refuseLoginCertificate(
  by: string,
  atMs: number,
  what: { readonly principal: string; readonly refusal: Refusal },
): AuditDraft {
  return draft('IssueCertificate', atMs, actorBy(by), {
    request: { principals: what.principal },
    refusal: what.refusal,
  });
}

function actorBy(by: string) {
  return { userIdentity: authorIdentity(by), userAgent: 'sshtrail', additional: {} };
}
