import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export type SignedCall = {
  readonly method: string;
  /** As it stands on the wire, without the query. */
  readonly path: string;
  /** As it stands on the wire, without the question mark. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

export type SigningSecret = { readonly secretAccessKey: string; readonly sessionToken?: string | undefined };

export type SignatureVerdict =
  | { readonly ok: true; readonly accessKeyId: string }
  | { readonly ok: false; readonly why: 'missing' | 'incomplete' | 'unknown-key' | 'expired' | 'mismatch' };

export type Scope = { readonly service: string; readonly region: string };

const authorizationPattern =
  /^AWS4-HMAC-SHA256 Credential=([^/, ]+)\/(\d{8})\/([^/, ]+)\/([^/, ]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;
const maxSkewMs = 5 * 60_000;

/** Recomputes Signature Version 4 of a call, as every service but S3 does (paths are encoded twice). */
export function verifySigv4(
  call: SignedCall,
  scope: Scope,
  secretOf: (accessKeyId: string) => SigningSecret | undefined,
  nowMs: number,
): SignatureVerdict {
  const { authorization } = call.headers;
  if (authorization === undefined) return { ok: false, why: 'missing' };
  const match = authorizationPattern.exec(authorization);
  const [, accessKeyId = '', day = '', region = '', service = '', signed = '', signature = ''] = match ?? [];
  const date = headerText(call.headers, 'x-amz-date');
  const names = signed.split(';');
  if (match === null || !/^\d{8}T\d{6}Z$/.test(date) || !date.startsWith(day) || !names.includes('host'))
    return { ok: false, why: 'incomplete' };
  if (region !== scope.region || service !== scope.service) return { ok: false, why: 'mismatch' };
  const secret = secretOf(accessKeyId);
  const token = call.headers['x-amz-security-token'];
  if (secret === undefined || secret.sessionToken !== token) return { ok: false, why: 'unknown-key' };
  if (token !== undefined && !names.includes('x-amz-security-token')) return { ok: false, why: 'incomplete' };
  if (Math.abs(nowMs - timeOf(date)) > maxSkewMs) return { ok: false, why: 'expired' };
  const toSign = [
    'AWS4-HMAC-SHA256',
    date,
    `${day}/${region}/${service}/aws4_request`,
    sha256(canonicalRequest(call, names)),
  ].join('\n');
  const key = [day, region, service, 'aws4_request'].reduce<Buffer>(
    (last, part) => hmac(last, part),
    Buffer.from(`AWS4${secret.secretAccessKey}`),
  );
  const expected = hmac(key, toSign);
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'))
    ? { ok: true, accessKeyId }
    : { ok: false, why: 'mismatch' };
}

function canonicalRequest(call: SignedCall, names: readonly string[]): string {
  const path = call.path.split('/').map(encoded).join('/');
  const query = call.query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .sort()
    .join('&');
  const headers = names.map(
    (name) => `${name}:${headerText(call.headers, name).trim().replace(/ +/g, ' ')}\n`,
  );
  return [call.method, path, query, headers.join(''), names.join(';'), sha256(call.body)].join('\n');
}

function headerText(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

function encoded(part: string): string {
  return encodeURIComponent(part).replace(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** `YYYYMMDDTHHMMSSZ` */
function timeOf(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'));
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
