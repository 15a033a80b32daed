import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { FakeRequest, FakeResponse, FakeService } from './fake-aws.ts';

export type FakeS3Object = {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
};

export type FakeS3 = FakeService & {
  /** The newest version of every object, by key. */
  objects(bucket: string): ReadonlyMap<string, FakeS3Object>;
};

type Bucket = { readonly objects: Map<string, FakeS3Object>; lock: string | undefined };

const pageKeys = 1000;

/** S3 over path-style URLs: what the product asks of it, and its refusals. Checksums are verified, as AWS does and moto does not. */
export function fakeS3(options: { readonly buckets?: readonly string[] } = {}): FakeS3 {
  const buckets = new Map<string, Bucket>();
  for (const name of options.buckets ?? []) buckets.set(name, { objects: new Map(), lock: undefined });

  return {
    service: 's3',
    objects: (name) => buckets.get(name)?.objects ?? new Map(),
    handle(request) {
      const [, name = '', ...rest] = request.path.split('/');
      const key = decodeURIComponent(rest.join('/'));
      if (key === '' && request.method === 'PUT' && !request.query.has('object-lock')) {
        if (buckets.has(name)) return xmlError(409, 'BucketAlreadyOwnedByYou', name);
        buckets.set(name, { objects: new Map(), lock: undefined });
        return { status: 200, headers: { location: `/${name}` } };
      }
      const bucket = buckets.get(name);
      if (bucket === undefined) return xmlError(404, 'NoSuchBucket', 'The specified bucket does not exist');
      if (key === '') return onBucket(bucket, request);
      switch (request.method) {
        case 'PUT':
          return put(bucket, key, request);
        case 'GET':
        case 'HEAD':
          return get(bucket, key, request);
        case 'DELETE':
          bucket.objects.delete(key);
          return { status: 204 };
        default:
          return xmlError(405, 'MethodNotAllowed', request.method);
      }
    },
  };
}

function onBucket(bucket: Bucket, request: FakeRequest): FakeResponse {
  if (request.query.has('object-lock')) {
    if (request.method === 'PUT') bucket.lock = request.body.toString();
    return bucket.lock === undefined
      ? xmlError(404, 'ObjectLockConfigurationNotFoundError', 'no configuration')
      : xml(bucket.lock);
  }
  if (request.method === 'POST' && request.query.has('delete')) return removeMany(bucket, request);
  if (request.method === 'GET' && request.query.get('list-type') === '2') return list(bucket, request);
  if (request.method === 'HEAD') return { status: 200 };
  return xmlError(501, 'NotImplemented', `${request.method} ${request.query.toString()}`);
}

function put(bucket: Bucket, key: string, request: FakeRequest): FakeResponse {
  const decoded = decodeBody(request);
  if ('status' in decoded) return decoded;
  const complaint = checksumComplaint(decoded.body, { ...request.headers, ...decoded.trailers });
  if (complaint !== undefined) return complaint;
  const condition = request.headers['if-none-match'];
  if (condition !== undefined && condition !== '*') return xmlError(501, 'NotImplemented', 'If-None-Match');
  if (condition === '*' && bucket.objects.has(key))
    return xmlError(
      412,
      'PreconditionFailed',
      'At least one of the pre-conditions you specified did not hold',
    );
  const kept = Object.entries({ ...request.headers, ...decoded.trailers }).filter(([name]) =>
    /^x-amz-(server-side|object-lock|meta|checksum)-/.test(name),
  );
  const headers = Object.fromEntries(kept.map(([name, value]) => [name, [value].flat().join(',')]));
  bucket.objects.set(key, { body: decoded.body, headers });
  return { status: 200, headers: { etag: etag(decoded.body) } };
}

/** Of aws-chunked framing: each chunk's size in hex and perhaps its signature, its bytes; then the trailers. */
function decodeBody(
  request: FakeRequest,
): { readonly body: Buffer; readonly trailers: Readonly<Record<string, string>> } | FakeResponse {
  if (!(request.headers['content-encoding'] ?? '').includes('aws-chunked'))
    return { body: request.body, trailers: {} };
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = request.body.indexOf('\r\n', at);
    const size = Number.parseInt(request.body.subarray(at, end).toString('latin1'), 16);
    if (end === -1 || Number.isNaN(size)) return xmlError(400, 'IncompleteBody', 'the chunks do not end');
    at = end + 2;
    if (size === 0) break;
    chunks.push(request.body.subarray(at, at + size));
    at += size + 2;
  }
  const trailers = request.body
    .subarray(at)
    .toString('latin1')
    .split('\r\n')
    .flatMap((line) => {
      const colon = line.indexOf(':');
      return colon === -1
        ? []
        : [[line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const];
    });
  const body = Buffer.concat(chunks);
  const length = request.headers['x-amz-decoded-content-length'];
  if (length !== undefined && Number(length) !== body.length)
    return xmlError(400, 'IncompleteBody', 'the decoded length is another one');
  return { body, trailers: Object.fromEntries(trailers) };
}

function checksumComplaint(
  body: Buffer,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): FakeResponse | undefined {
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(body));
  const expected: Readonly<Record<string, string>> = {
    'x-amz-checksum-sha256': createHash('sha256').update(body).digest('base64'),
    'x-amz-checksum-crc32': crc.toString('base64'),
    'content-md5': createHash('md5').update(body).digest('base64'),
  };
  for (const [name, value] of Object.entries(expected))
    if (headers[name] !== undefined && headers[name] !== value)
      return xmlError(400, 'BadDigest', `The ${name} you specified did not match what we received`);
  return undefined;
}

function get(bucket: Bucket, key: string, request: FakeRequest): FakeResponse {
  const object = bucket.objects.get(key);
  if (object === undefined)
    return request.method === 'HEAD'
      ? { status: 404 }
      : xmlError(404, 'NoSuchKey', 'The specified key does not exist.');
  const { body, headers } = object;
  const checksums =
    request.headers['x-amz-checksum-mode'] === 'ENABLED' ? headers : withoutChecksums(headers);
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  if (range !== null) {
    const first = Number(range[1]);
    if (first >= body.length) return xmlError(416, 'InvalidRange', 'The requested range is not satisfiable');
    const part = body.subarray(first, Number(range[2]) + 1);
    const contentRange = `bytes ${first}-${first + part.length - 1}/${body.length}`;
    return {
      status: 206,
      headers: { ...withoutChecksums(headers), 'content-range': contentRange },
      body: part,
    };
  }
  const answer = { ...checksums, etag: etag(body), 'content-type': 'binary/octet-stream' };
  return request.method === 'HEAD'
    ? { status: 200, headers: { ...answer, 'content-length': String(body.length) } }
    : { status: 200, headers: answer, body };
}

function withoutChecksums(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('x-amz-checksum-')));
}

function list(bucket: Bucket, request: FakeRequest): FakeResponse {
  const prefix = request.query.get('prefix') ?? '';
  const after = request.query.get('continuation-token') ?? request.query.get('start-after') ?? '';
  const most = Math.min(pageKeys, Number(request.query.get('max-keys') ?? pageKeys));
  const keys = [...bucket.objects.keys()]
    .filter((key) => key.startsWith(prefix) && (after === '' || byBytes(key, after) > 0))
    .sort(byBytes);
  const page = keys.slice(0, most);
  const truncated = keys.length > page.length;
  const encode = request.query.get('encoding-type') === 'url' ? encodeURIComponent : escapeXml;
  const contents = page.map(
    (key) =>
      `<Contents><Key>${encode(key)}</Key><Size>${bucket.objects.get(key)?.body.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
  );
  const next = truncated
    ? `<NextContinuationToken>${escapeXml(page.at(-1) ?? '')}</NextContinuationToken>`
    : '';
  return xml(
    `<ListBucketResult><Prefix>${escapeXml(prefix)}</Prefix><KeyCount>${page.length}</KeyCount><MaxKeys>${most}</MaxKeys><IsTruncated>${truncated}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`,
  );
}

function removeMany(bucket: Bucket, request: FakeRequest): FakeResponse {
  const complaint = checksumComplaint(request.body, request.headers);
  if (complaint !== undefined) return complaint;
  const keys = [...request.body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) =>
    unescapeXml(key),
  );
  if (keys.length === 0 || keys.length > 1000) return xmlError(400, 'MalformedXML', 'from 1 to 1000 keys');
  for (const key of keys) bucket.objects.delete(key);
  return xml('<DeleteResult></DeleteResult>');
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function etag(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}

function xml(text: string): FakeResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>${text}`,
  };
}

function xmlError(status: number, code: string, message: string): FakeResponse {
  return { ...xml(`<Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>`), status };
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function unescapeXml(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replace(/&#x([0-9a-fA-F]+);/g, (_all, code: string) => String.fromCodePoint(Number.parseInt(code, 16)))
    .replaceAll('&amp;', '&');
}
