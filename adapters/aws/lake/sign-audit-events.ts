import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import { SigningHash } from '../signing-hash.ts';

export type AwsCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
};

export type AuditEventsCall = {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly region: string;
  readonly channelArn: string;
  readonly externalId?: string | undefined;
  readonly body: string;
};

export type SignedCall = {
  readonly url: string;
  /** All but Host and Content-Length, which go with the connection. */
  readonly headers: Readonly<Record<string, string>>;
};

/** PutAuditEvents, signed: the registry has no SDK client for this one operation. */
export async function signAuditEvents(
  call: AuditEventsCall,
  credentials: AwsCredentials,
  atMs: number,
): Promise<SignedCall> {
  const url = new URL(`${call.endpoint}/PutAuditEvents`);
  const query: Record<string, string> = { channelArn: call.channelArn };
  if (call.externalId !== undefined) query['externalId'] = call.externalId;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const signer = new SignatureV4({
    service: 'cloudtrail-data',
    region: call.region,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    sha256: SigningHash,
    applyChecksum: false,
  });
  const signed = await signer.sign(
    new HttpRequest({
      method: 'POST',
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query,
      headers: { host: url.host, 'content-type': 'application/json' },
      body: call.body,
    }),
    { signingDate: new Date(atMs) },
  );
  const { host: _host, ...headers } = signed.headers;
  const search = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return { url: `${url.href}?${search.join('&')}`, headers };
}
