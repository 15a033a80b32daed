import { isIPv4 } from 'node:net';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { apiRoutes, type Journal } from '#core/contract';
import {
  type ApiCaller,
  issueEngineerCertificate,
  type Refusal,
  refuseEngineerCertificate,
  type UnknownApiCaller,
} from '#core/event';
import { type FederatedIdentity, federatedExtensions, type IamCaller } from '#core/federation';
import { formatCertificateLine, mintCertificate, type RemoteSigner, userExtensions } from '#ssh';
import { apiIdentity, errorResponse, jsonResponse, mfaOf } from '../shared/index.ts';
import { type CertificateRequest, readCertificateRequest } from './certificate-request.ts';

export type IssueParts = {
  readonly authority: () => Promise<RemoteSigner>;
  readonly journal: Journal;
  /** Longest life of a certificate. */
  readonly maxSeconds: number;
  readonly allowedAccounts: readonly string[];
  /** Accounts whose owner says that their Identity Center asks for MFA at every sign-in. */
  readonly identityCenterMfaAccounts: readonly string[];
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
};

/** For clocks of gateways that are behind. */
const backdateSeconds = 30;

/**
 * Turns a caller whom IAM proved into a user certificate for one key. In this order: modify (what was asked for is cut to what may be),
 * validate, policy, then sign. What is given out, and what is refused, is on record first.
 *
 * Twice the same call makes two certificates that are good for the same. How many there may be is left to the API's throttling.
 */
export async function issueCertificate(
  event: APIGatewayProxyEvent,
  parts: IssueParts,
): Promise<APIGatewayProxyResult> {
  if (event.resource !== apiRoutes.certificate && event.resource !== apiRoutes.certificateWithMfa)
    return errorResponse(
      404,
      'no-such-route',
      `there is POST ${apiRoutes.certificate} and ${apiRoutes.certificateWithMfa}`,
    );
  if (event.httpMethod !== 'POST')
    return errorResponse(405, 'wrong-method', 'ask for a certificate by POST', { allow: 'POST' });
  const identity = apiIdentity(event);
  if (!identity.ok) return refuse(403, identity.call, identity, parts);
  const caller = withMfa(identity.call, identity.caller, event, parts);
  const wanted = readCertificateRequest(event);
  if (!wanted.ok) return refuse(400, caller, { reason: 'bad-request', message: wanted.message }, parts);
  if (!parts.allowedAccounts.includes(identity.caller.accountId))
    return refuse(
      403,
      caller,
      {
        reason: 'account-not-allowed',
        message: `account ${identity.caller.accountId} may not ask for certificates here; add it to allowedAccounts in sshtrail.config.ts`,
      },
      parts,
    );
  return issue(identity.caller, caller, wanted.request, parts);
}

function withMfa(
  call: ApiCaller | Omit<ApiCaller, 'identity' | 'mfa'>,
  caller: IamCaller,
  event: APIGatewayProxyEvent,
  { identityCenterMfaAccounts }: IssueParts,
): ApiCaller & { readonly mfa: FederatedIdentity['mfa'] } {
  return { ...call, identity: caller, mfa: mfaOf(caller, event, identityCenterMfaAccounts) };
}

async function refuse(
  statusCode: 400 | 403,
  caller: ApiCaller | UnknownApiCaller,
  { reason, message }: { readonly reason: string; readonly message: string },
  { journal, now }: IssueParts,
): Promise<APIGatewayProxyResult> {
  const errorCode: Refusal['errorCode'] = statusCode === 400 ? 'ProtocolError' : 'AccessDenied';
  await journal.record(refuseEngineerCertificate(caller, now(), { errorCode, denyReason: reason, message }));
  return errorResponse(statusCode, reason, message);
}

async function issue(
  iam: IamCaller,
  caller: ApiCaller & { readonly mfa: FederatedIdentity['mfa'] },
  wanted: CertificateRequest,
  parts: IssueParts,
): Promise<APIGatewayProxyResult> {
  const { now, randomBytes, maxSeconds, journal } = parts;
  const { mfa, sourceIp = '' } = caller;
  const atMs = now();
  const nowSeconds = Math.floor(atMs / 1000);
  const validAfter = nowSeconds - backdateSeconds;
  const validBefore = nowSeconds + Math.min(wanted.validForSeconds ?? maxSeconds, maxSeconds);
  const serial = randomBytes(8).readBigUInt64BE();
  const sourceAddress = wanted.bindSourceAddress ? `${sourceIp}/${isIPv4(sourceIp) ? 32 : 128}` : undefined;
  const authority = await parts.authority();
  const certificate = await mintCertificate(
    {
      kind: 'user',
      publicKey: wanted.publicKey,
      keyId: iam.arn,
      serial,
      principals: [iam.name],
      validAfter: BigInt(validAfter),
      validBefore: BigInt(validBefore),
      ...(sourceAddress === undefined
        ? {}
        : { criticalOptions: new Map([['source-address', sourceAddress]]) }),
      extensions: new Map([
        ...userExtensions.map((name) => [name, ''] as const),
        ...federatedExtensions({ ...iam, mfa, provedAtMs: atMs }),
      ]),
      nonce: randomBytes(32),
    },
    authority,
  );
  await journal.record(
    issueEngineerCertificate(caller, atMs, {
      keyFingerprint: wanted.publicKey.fingerprint,
      serial,
      validFromMs: validAfter * 1000,
      validToMs: validBefore * 1000,
      sourceAddress,
      authorityFingerprint: authority.publicKey.fingerprint,
    }),
  );
  return jsonResponse(200, {
    certificate: formatCertificateLine(certificate, iam.name),
    principal: iam.name,
    serial: String(serial),
    validAfter: new Date(validAfter * 1000).toISOString(),
    validBefore: new Date(validBefore * 1000).toISOString(),
    mfa: mfa.verified,
    mfaSource: mfa.source,
  });
}
