import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { type FakeRequest, type FakeResponse, type FakeService, jsonAnswer } from './fake-aws.ts';

/** An event that a channel took. */
export type AcceptedAuditEvent = {
  readonly channelArn: string;
  /** As the caller named it. */
  readonly id: string;
  /** As CloudTrail names it. */
  readonly eventID: string;
  readonly eventData: Readonly<Record<string, unknown>>;
  readonly ingestionTime: string;
};

export type FakeCloudTrailDataOptions = {
  /** Owner of the channels. */
  readonly account: string;
  /** ARNs of the channels that are there. */
  readonly channels: () => readonly string[];
  /** Secret access keys by access key id. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Session token that must come with the key, where it has one. */
  readonly sessionToken?: string;
  /** False: every event fails with AccountNotSubscribed. */
  readonly subscribed?: boolean;
  /** Why an otherwise good event fails at its `attempt`th coming (from 1). */
  readonly failure?: (id: string, attempt: number) => string | undefined;
  /** Milliseconds since the epoch; requests must have been signed within five minutes of it. The machine's clock when absent. */
  readonly now?: () => number;
};

const maxBodyBytes = 1_048_576;

/** PutAuditEvents, as strict as its documentation: signature, checksums, limits, ids. */
export function fakeCloudTrailData(
  options: FakeCloudTrailDataOptions,
): FakeService & { readonly accepted: readonly AcceptedAuditEvent[] } {
  const accepted: AcceptedAuditEvent[] = [];
  const attempts = new Map<string, number>();
  return {
    service: 'cloudtrail-data',
    accepted,
    handle(request) {
      if (request.method !== 'POST' || request.path !== '/PutAuditEvents') return undefined;
      const unsigned = signatureProblem(request, options);
      if (unsigned !== undefined) return problem(403, 'InvalidSignatureException', unsigned);
      const channelArn = request.query.get('channelArn') ?? '';
      if (!/^arn:aws[a-z-]*:cloudtrail:[a-z0-9-]+:[0-9]{12}:channel\/[A-Za-z0-9-]+$/.test(channelArn))
        return problem(400, 'InvalidChannelARN', 'The specified channel ARN is not a valid channel ARN.');
      if (!options.channels().includes(channelArn))
        return problem(400, 'ChannelNotFound', 'The channel could not be found.');
      if (request.headers['content-type'] !== 'application/json')
        return problem(400, 'SerializationException', 'content type');
      const entries = entriesOf(request.body);
      if (typeof entries === 'string') return problem(400, 'ValidationException', entries);
      if (new Set(entries.map(({ id }) => id)).size !== entries.length)
        return problem(
          400,
          'DuplicatedAuditEventId',
          'Two or more entries in the request have the same event ID.',
        );
      const successful: object[] = [];
      const failed: object[] = [];
      for (const entry of entries) {
        const attempt = (attempts.get(entry.id) ?? 0) + 1;
        attempts.set(entry.id, attempt);
        const read = readEntry(entry, options);
        const errorCode =
          options.subscribed === false
            ? 'AccountNotSubscribed'
            : typeof read === 'string'
              ? read
              : options.failure?.(entry.id, attempt);
        if (errorCode !== undefined || typeof read === 'string') {
          failed.push({ id: entry.id, errorCode, errorMessage: `The event was refused: ${errorCode}` });
          continue;
        }
        const eventID = randomUUID();
        const ingestionTime = new Date(options.now?.() ?? Date.now()).toISOString();
        accepted.push({ channelArn, id: entry.id, eventID, eventData: read, ingestionTime });
        successful.push({ id: entry.id, eventID });
      }
      return jsonAnswer({ successful, failed });
    },
  };
}

function problem(status: number, type: string, message: string): FakeResponse {
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'x-amzn-errortype': `${type}:http://internal.amazon.com/`,
    },
    body: JSON.stringify({ message }),
  };
}

type Entry = { readonly id: string; readonly eventData: string; readonly checksum: string | undefined };

/** The entries, or what is wrong with the whole request. */
function entriesOf(body: Buffer): readonly Entry[] | string {
  if (body.length > maxBodyBytes) return 'the request is larger than 1 MB';
  const parsed: unknown = JSON.parse(body.toString('utf8'));
  const list = isRecord(parsed) ? parsed['auditEvents'] : undefined;
  if (!Array.isArray(list) || list.length < 1 || list.length > 100)
    return 'auditEvents must have 1 to 100 entries';
  const entries: Entry[] = [];
  for (const each of list) {
    if (!isRecord(each)) return 'an entry is no object';
    const { id, eventData, eventDataChecksum } = each;
    if (typeof id !== 'string' || !/^[-_A-Za-z0-9]{1,128}$/.test(id)) return 'an id is missing or malformed';
    if (typeof eventData !== 'string') return 'eventData must be a string';
    if (eventDataChecksum !== undefined && typeof eventDataChecksum !== 'string')
      return 'a checksum is no text';
    entries.push({ id, eventData, checksum: eventDataChecksum });
  }
  return entries;
}

/** Fields that must be there, with their longest length. */
const required: readonly (readonly [name: string, longest: number])[] = [
  ['version', 256],
  ['eventSource', 1024],
  ['eventName', 1024],
  ['eventTime', 64],
  ['UID', 1024],
  ['recipientAccountId', 12],
];
const optional: readonly (readonly [name: string, longest: number])[] = [
  ['userAgent', 1024],
  ['errorCode', 256],
  ['errorMessage', 256],
];
const maps: readonly (readonly [name: string, bytes: number])[] = [
  ['requestParameters', 100_000],
  ['responseElements', 100_000],
  ['additionalEventData', 28_000],
];

/** The event, or the code it is refused with. */
function readEntry(
  entry: Entry,
  options: FakeCloudTrailDataOptions,
): Readonly<Record<string, unknown>> | string {
  const sum = createHash('sha256').update(entry.eventData, 'utf8').digest('base64');
  if (entry.checksum !== undefined && entry.checksum !== sum) return 'InvalidChecksum';
  let data: unknown;
  try {
    data = JSON.parse(entry.eventData);
  } catch {
    return 'InvalidData';
  }
  if (!isRecord(data) || !isRecord(data['userIdentity'])) return 'FieldNotFound';
  const { type, principalId, details, ...others } = data['userIdentity'];
  if (Object.keys(others).length > 0) return 'InvalidData';
  if (typeof type !== 'string' || typeof principalId !== 'string') return 'FieldNotFound';
  if (type.length > 128 || principalId.length > 1024) return 'FieldTooLong';
  if (details !== undefined && !isRecord(details)) return 'InvalidData';
  return fieldProblem(data, options) ?? data;
}

function fieldProblem(
  data: Readonly<Record<string, unknown>>,
  options: FakeCloudTrailDataOptions,
): string | undefined {
  for (const [name, longest] of required) {
    const value = data[name];
    if (typeof value !== 'string' || value === '') return 'FieldNotFound';
    if (value.length > longest) return 'FieldTooLong';
  }
  for (const [name, longest] of optional) {
    const value = data[name];
    if (value !== undefined && typeof value !== 'string') return 'InvalidData';
    if (value !== undefined && value.length > longest) return 'FieldTooLong';
  }
  for (const [name, bytes] of maps) {
    const value = data[name];
    if (value !== undefined && !isRecord(value)) return 'InvalidData';
    if (value !== undefined && Buffer.byteLength(JSON.stringify(value)) > bytes) return 'FieldTooLong';
  }
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z?$/.test(String(data['eventTime']))) return 'InvalidData';
  const address = data['sourceIPAddress'];
  if (address !== undefined && (typeof address !== 'string' || isIP(address) === 0)) return 'InvalidData';
  if (data['recipientAccountId'] !== options.account) return 'InvalidRecipient';
  return /(^|\.)(aws|amazonaws)\.com$/.test(String(data['eventSource'])) ? 'InvalidEventSource' : undefined;
}

/** Signature Version 4 computed anew from what arrived; undefined when it is right. */
function signatureProblem(request: FakeRequest, options: FakeCloudTrailDataOptions): string | undefined {
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/;
  const match = pattern.exec(request.headers.authorization ?? '');
  if (match === null) return 'the Authorization header is no signature of version 4';
  const [, keyId = '', date = '', region = '', service = '', headerNames = '', signature = ''] = match;
  const secret = options.secrets[keyId];
  if (secret === undefined) return 'The security token included in the request is invalid.';
  const names = headerNames.split(';');
  const token = options.sessionToken === undefined ? [] : ['x-amz-security-token'];
  for (const name of ['host', 'content-type', 'x-amz-date', ...token])
    if (!names.includes(name)) return `${name} is not signed`;
  if (options.sessionToken !== undefined && headerText(request, token[0] ?? '') !== options.sessionToken)
    return 'The security token included in the request is invalid.';
  const time = headerText(request, 'x-amz-date');
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time) ?? [];
  const signedAt = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (!(Math.abs(signedAt - (options.now?.() ?? Date.now())) <= 300_000) || !time.startsWith(date))
    return 'Signature expired';
  const canonical = [
    request.method,
    request.path,
    canonicalQuery(request.query),
    ...names.map((name) => `${name}:${headerText(request, name).trim().replace(/ +/g, ' ')}`),
    '',
    headerNames,
    createHash('sha256').update(request.body).digest('hex'),
  ].join('\n');
  const scope = `${date}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join(
    '\n',
  );
  const key = [date, region, service, 'aws4_request'].reduce<Buffer>(
    (previous, part) => createHmac('sha256', previous).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  );
  const expected = createHmac('sha256', key).update(toSign).digest();
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'))
    ? undefined
    : 'The request signature we calculated does not match the signature you provided.';
}

function headerText(request: FakeRequest, name: string): string {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort()
    .join('&');
}

/** RFC 3986: what encodeURIComponent leaves of the reserved characters is encoded too. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
