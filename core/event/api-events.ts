import type { AuditDraft, UserIdentity } from '#core/contract';
import { type Actor, draft, isoTime, type Refusal } from './draft.ts';
import { evidenceText } from './evidence-text.ts';
import type { IdentityFacts } from './facts.ts';

/** What is known of a call of the control API before anything is made of it. */
export type ApiCall = {
  /** Absent where it is none. */
  readonly sourceIp?: string | undefined;
  readonly userAgent: string;
  /** Of the API, as its access log has it. */
  readonly requestId: string;
};

/** Whom IAM proved to be calling. */
export type ApiCaller = ApiCall & {
  readonly identity: IdentityFacts & { readonly arn: string };
  /** `source`: `iam`, `identity-center-asserted` or `none`. */
  readonly mfa: { readonly verified: boolean; readonly source: string };
};

/** The same on a route that may tell nothing of a second factor. */
export type ProvedCaller = Omit<ApiCaller, 'mfa'> & Partial<Pick<ApiCaller, 'mfa'>>;

/** A caller who is no identity here; the texts are what the API passed on. */
export type UnknownApiCaller = ApiCall & {
  readonly claimedArn: string;
  readonly claimedAccount: string;
  readonly claimedPrincipalId: string;
};

const maxNameBytes = 256;

/** A user certificate for an engineer. On record before it is given out. */
export function issueEngineerCertificate(
  caller: ApiCaller,
  atMs: number,
  what: {
    readonly keyFingerprint: string;
    readonly serial: bigint;
    readonly validFromMs: number;
    readonly validToMs: number;
    /** The one address it is good from. */
    readonly sourceAddress?: string | undefined;
    readonly authorityFingerprint: string;
  },
): AuditDraft {
  return draft('IssueCertificate', atMs, apiActor(caller, atMs), {
    request: {
      principals: caller.identity.name,
      keyFingerprint: what.keyFingerprint,
      sourceAddress: what.sourceAddress,
    },
    response: {
      keyId: caller.identity.arn,
      serial: what.serial,
      validFrom: isoTime(what.validFromMs),
      validTo: isoTime(what.validToMs),
      authorityFingerprint: what.authorityFingerprint,
    },
  });
}

/** A certificate that was asked for and not given. */
export function refuseEngineerCertificate(
  caller: ApiCaller | UnknownApiCaller,
  atMs: number,
  refusal: Refusal,
): AuditDraft {
  return 'identity' in caller
    ? draft('IssueCertificate', atMs, apiActor(caller, atMs), {
        request: { principals: caller.identity.name },
        refusal,
      })
    : draft('IssueCertificate', atMs, unknownActor(caller), {
        request: { callerArn: caller.claimedArn, callerAccount: caller.claimedAccount },
        refusal,
      });
}

/** Without `mfa`, of a route that tells nothing of it, the event says nothing of it either. */
export function apiActor({ identity, mfa, ...call }: ProvedCaller, atMs: number): Actor {
  const accountId = identity.arn.split(':')[4];
  return {
    userIdentity: {
      type: identity.type,
      principalId: identity.principalId,
      userName: identity.name,
      arn: identity.arn,
      ...(accountId === undefined ? {} : { accountId }),
      ...(mfa === undefined
        ? {}
        : {
            sessionContext: {
              attributes: {
                mfaAuthenticated: mfa.verified ? 'true' : 'false',
                creationDate: new Date(atMs).toISOString(),
              },
            },
          }),
    },
    ...callOf(call),
    additional: { requestId: call.requestId, mfaAuthenticated: mfa?.verified, mfaMethod: mfa?.source },
  };
}

function unknownActor(caller: UnknownApiCaller): Actor {
  const name = evidenceText(caller.claimedPrincipalId, maxNameBytes).text;
  const userIdentity: UserIdentity = { type: 'Unknown', principalId: `unknown:${name}`, userName: name };
  return { userIdentity, ...callOf(caller), additional: { requestId: caller.requestId } };
}

function callOf({ sourceIp, userAgent }: ApiCall): Pick<Actor, 'sourceIPAddress' | 'userAgent'> {
  return { ...(sourceIp === undefined ? {} : { sourceIPAddress: sourceIp }), userAgent };
}
