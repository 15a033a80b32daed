import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { z } from 'zod';
import { apiRoutes, type Journal } from '#core/contract';
import { issueEngineerCertificate, refuseEngineerCertificate } from '#core/event';
import {
  type FederatedIdentity,
  federatedExtensions,
  type IamCaller,
  identityFromArn,
  type MfaSource,
} from '#core/federation';
import {
  formatCertificateLine,
  mintCertificate,
  type PublicKey,
  parsePublicKeyLine,
  type RemoteSigner,
  userExtensions,
} from '#ssh';
import {
  bodyOf,
  errorResponse,
  jsonResponse,
  type RequestIdentity,
  requestIdentity,
} from '../shared/index.ts';

export type IssueParts = {
  readonly authority: () => Promise<RemoteSigner>;
  readonly journal: Journal;
  readonly maxSeconds: number;
  readonly allowedAccounts: readonly string[];
  readonly identityCenterMfaAccounts: readonly string[];
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
};

const maxBodyBytes = 32 * 1024;
const backdateSeconds = 30;

const request = z.strictObject({
  publicKey: z.string().max(16 * 1024),
  validForSeconds: z.int().min(60).max(86_400).optional(),
  /** The certificate is good from the caller's address only. */
  bindSourceAddress: z.boolean().default(false),
});

/**
 * Turns a caller whom IAM proved into a user certificate for one key. In this order: modify (what was asked for is cut to what may be),
 * validate, policy, then sign. What is given out is on record first.
 */
export async function issueCertificate(
  event: APIGatewayProxyEvent,
  parts: IssueParts,
): Promise<APIGatewayProxyResult> {
  const identity = requestIdentity(event);
  const wanted = readRequest(event);
  if (!wanted.ok) return errorResponse(400, 'bad-request', wanted.message);
  const judged = judgeCaller(identity, event.resource, parts);
  if (!judged.ok) {
    await parts.journal.record(
      refuseEngineerCertificate(
        { ...identity, mfa: { verified: false, source: 'none' } },
        parts.now(),
        judged,
      ),
    );
    return errorResponse(403, judged.reason, judged.message);
  }
  return sign(identity, judged, wanted, parts);
}

type Wanted = {
  readonly ok: true;
  readonly publicKey: PublicKey;
  readonly validForSeconds: number | undefined;
  readonly bindSourceAddress: boolean;
};

function readRequest(event: APIGatewayProxyEvent): Wanted | { readonly ok: false; readonly message: string } {
  const body = bodyOf(event);
  if (body.length > maxBodyBytes) return bad(`the body has over ${maxBodyBytes} bytes; send one public key`);
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    return bad('the body is no JSON; send {"publicKey": "ssh-ed25519 AAAA..."}');
  }
  const parsed = request.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return bad(`${issue?.path.join('.') || 'the body'}: ${issue?.message ?? 'cannot be used'}`);
  }
  const { publicKey: line, validForSeconds, bindSourceAddress } = parsed.data;
  const publicKey = readKey(line);
  return 'message' in publicKey
    ? { ok: false, message: publicKey.message }
    : { ok: true, publicKey: publicKey.key, validForSeconds, bindSourceAddress };
}

/** What is sent may be anything, a private key by mistake included: nothing of it is said back. */
function readKey(line: string): { readonly key: PublicKey } | { readonly message: string } {
  const text = line.trim();
  if (text.includes('PRIVATE KEY'))
    return { message: 'this is a private key: keep it to yourself, make a new one, and send the .pub file' };
  if (/[\r\n\0]/.test(text)) return { message: 'publicKey has more than one line; send one .pub file' };
  try {
    const { publicKey } = parsePublicKeyLine(text);
    return { key: publicKey };
  } catch {
    return { message: 'publicKey is not the line of a .pub file; make a key with ssh-keygen -t ed25519' };
  }
}

type Judged = { readonly ok: true; readonly caller: IamCaller; readonly mfa: FederatedIdentity['mfa'] };
type Refused = { readonly ok: false; readonly reason: string; readonly message: string };

function judgeCaller(
  { arn, principalId, accountId }: RequestIdentity,
  resource: string,
  parts: Pick<IssueParts, 'allowedAccounts' | 'identityCenterMfaAccounts'>,
): Judged | Refused {
  const read = identityFromArn(arn, principalId);
  if (!read.ok) return { ok: false, reason: 'unusable-identity', message: read.message };
  const { caller } = read;
  if (caller.accountId !== accountId || !parts.allowedAccounts.includes(caller.accountId))
    return {
      ok: false,
      reason: 'account-not-allowed',
      message: `account ${caller.accountId} may not ask for certificates here; add it to allowedAccounts in sshtrail.config.ts`,
    };
  const source = mfaSource(caller, resource, parts.identityCenterMfaAccounts);
  return { ok: true, caller, mfa: { verified: source !== 'none', source } };
}

/** IAM lets a request onto the one route only with MFA; of Identity Center it knows nothing, and the account's owner says it. */
function mfaSource(caller: IamCaller, resource: string, declared: readonly string[]): MfaSource {
  if (resource === apiRoutes.certificateWithMfa) return 'iam';
  return caller.type === 'IdentityCenterUser' && declared.includes(caller.accountId)
    ? 'identity-center-asserted'
    : 'none';
}

async function sign(
  identity: RequestIdentity,
  { caller, mfa }: Judged,
  wanted: Wanted,
  parts: IssueParts,
): Promise<APIGatewayProxyResult> {
  const { now, randomBytes, journal } = parts;
  const atMs = now();
  const seconds = Math.min(wanted.validForSeconds ?? parts.maxSeconds, parts.maxSeconds);
  const nowSeconds = Math.floor(atMs / 1000);
  const [validAfter, validBefore] = [nowSeconds - backdateSeconds, nowSeconds + seconds];
  const serial = randomBytes(8).readBigUInt64BE();
  const sourceAddress = wanted.bindSourceAddress ? identity.sourceIp : undefined;
  const authority = await parts.authority();
  const certificate = await mintCertificate(
    {
      kind: 'user',
      publicKey: wanted.publicKey,
      keyId: caller.arn,
      serial,
      principals: [caller.name],
      validAfter: BigInt(validAfter),
      validBefore: BigInt(validBefore),
      extensions: new Map([
        ...userExtensions.map((name) => [name, ''] as const),
        ...federatedExtensions({ ...caller, mfa, provedAtMs: atMs }),
      ]),
      nonce: randomBytes(32),
      ...(sourceAddress === undefined
        ? {}
        : { criticalOptions: new Map([['source-address', sourceAddress]]) }),
    },
    authority,
  );
  await journal.record(
    issueEngineerCertificate({ ...identity, ...caller, mfa }, atMs, {
      keyFingerprint: wanted.publicKey.fingerprint,
      serial,
      validFromMs: validAfter * 1000,
      validToMs: validBefore * 1000,
      sourceAddress,
      authorityFingerprint: authority.publicKey.fingerprint,
    }),
  );
  return jsonResponse(200, {
    certificate: formatCertificateLine(certificate, caller.name),
    principal: caller.name,
    serial: String(serial),
    validAfter: new Date(validAfter * 1000).toISOString(),
    validBefore: new Date(validBefore * 1000).toISOString(),
    mfa: mfa.verified,
    mfaSource: mfa.source,
  });
}

function bad(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}
