import type { AuditDraft, UserIdentity } from '#core/contract';
import { draft, isoTime } from './draft.ts';

/** Who called the control API, as IAM proved it. */
export type ApiCaller = {
  readonly name: string;
  readonly principalId: string;
  readonly type: UserIdentity['type'];
  readonly arn: string;
  readonly accountId: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  readonly requestId: string;
  readonly mfa: { readonly verified: boolean; readonly source: string };
};

/** A user certificate for an engineer: what it says. */
export function issueEngineerCertificate(
  caller: ApiCaller,
  atMs: number,
  what: {
    readonly keyFingerprint: string;
    readonly serial: bigint;
    readonly validFromMs: number;
    readonly validToMs: number;
    readonly sourceAddress?: string | undefined;
    readonly authorityFingerprint: string;
  },
): AuditDraft {
  return draft('IssueCertificate', atMs, actorOf(caller, atMs), {
    request: {
      principals: caller.name,
      keyFingerprint: what.keyFingerprint,
      sourceAddress: what.sourceAddress,
    },
    response: {
      keyId: caller.arn,
      serial: what.serial,
      validFrom: isoTime(what.validFromMs),
      validTo: isoTime(what.validToMs),
      authorityFingerprint: what.authorityFingerprint,
    },
  });
}

/** A certificate that was asked for and not given. `arn` may be anything that API Gateway passed on. */
export function refuseEngineerCertificate(
  caller: Omit<ApiCaller, 'name' | 'type'>,
  atMs: number,
  refusal: { readonly reason: string; readonly message: string },
): AuditDraft {
  const { arn, principalId, accountId, sourceIp, userAgent, requestId } = caller;
  return draft(
    'IssueCertificate',
    atMs,
    {
      userIdentity: { type: 'Unknown', principalId: principalId.slice(0, 1024), userName: 'unknown' },
      sourceIPAddress: sourceIp,
      userAgent,
      additional: { requestId },
    },
    {
      request: { callerArn: arn, callerAccount: accountId },
      refusal: { errorCode: 'AccessDenied', denyReason: refusal.reason, message: refusal.message },
    },
  );
}

function actorOf(caller: ApiCaller, atMs: number) {
  const { name, principalId, type, arn, accountId, sourceIp, userAgent, requestId, mfa } = caller;
  return {
    userIdentity: {
      type,
      principalId,
      userName: name,
      arn,
      accountId,
      sessionContext: {
        attributes: {
          mfaAuthenticated: mfa.verified ? ('true' as const) : ('false' as const),
          creationDate: new Date(atMs).toISOString(),
        },
      },
    },
    sourceIPAddress: sourceIp,
    userAgent,
    additional: { requestId, mfaAuthenticated: mfa.verified, mfaMethod: mfa.source },
  };
}
