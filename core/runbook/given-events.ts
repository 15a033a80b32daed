import { createHash } from 'node:crypto';
import {
  type AuditRecord,
  type ErrorCode,
  type EventName,
  errorCodes,
  eventNames,
  type UserIdentity,
} from '#core/contract';
import { durationMs } from './duration.ts';
import type { GivenEvent } from './runbook.ts';

/** Short names of a test's fields, and the place in a record each stands for. */
const fieldPlaces = {
  session: 'session',
  principal: 'principal',
  type: 'type',
  source: 'source',
  errorCode: 'errorCode',
  mfa: 'additionalEventData.mfaAuthenticated',
  mfaMethod: 'additionalEventData.mfaMethod',
  authMethod: 'additionalEventData.authMethod',
  keyFingerprint: 'additionalEventData.keyFingerprint',
  policyId: 'additionalEventData.policyId',
  denyReason: 'additionalEventData.denyReason',
  commandSource: 'additionalEventData.commandSource',
  target: 'requestParameters.target',
  targetUser: 'requestParameters.targetUser',
  labels: 'requestParameters.targetLabels',
  channel: 'requestParameters.channel',
  command: 'requestParameters.command',
  path: 'requestParameters.path',
  direction: 'requestParameters.direction',
  forwardType: 'requestParameters.forwardType',
  forwardHost: 'requestParameters.forwardHost',
  forwardPort: 'requestParameters.forwardPort',
  endReason: 'responseElements.endReason',
  exitStatus: 'responseElements.exitStatus',
  bytes: 'responseElements.bytes',
  /** How much later than it happened the journal took it. */
  late: 'late',
} as const;
type FieldName = keyof typeof fieldPlaces;

const principalTypes: readonly UserIdentity['type'][] = [
  'IAMUser',
  'AssumedRole',
  'IdentityCenterUser',
  'FederatedUser',
  'ServiceIdentity',
  'Unknown',
  'LocalUser',
];

/** Why a test's event cannot be made into a record, or undefined. */
export function givenProblem(given: Readonly<Record<string, unknown>>): string | undefined {
  const { at: _at, repeat: _repeat, every: _every, ...rest } = given;
  const eventName = givenEventName(rest);
  if (eventName === undefined)
    return 'beside at, repeat and every there is one event name, such as StartSession';
  const fields = rest[eventName];
  if (typeof fields !== 'object' || fields === null) return `${eventName} has fields: { session: s1, ... }`;
  for (const [name, value] of Object.entries(fields)) {
    if (!Object.hasOwn(fieldPlaces, name))
      return `${name} is not a field of a test; there are ${Object.keys(fieldPlaces).join(', ')}`;
    const problem = valueProblem(name, value);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function valueProblem(name: string, value: unknown): string | undefined {
  if (name === 'labels') {
    const plain =
      typeof value === 'object' &&
      value !== null &&
      Object.values(value).every((each) => typeof each === 'string');
    return plain ? undefined : 'labels are { env: prod }';
  }
  if (!['string', 'number', 'boolean'].includes(typeof value))
    return `${name} is text, a number, true or false`;
  if (name === 'type' && !principalTypes.some((type) => type === value))
    return `type is one of ${principalTypes.join(', ')}`;
  if (name === 'errorCode' && !errorCodes.some((code) => code === value))
    return `errorCode is one of ${errorCodes.join(', ')}`;
  if (name === 'late' && (typeof value !== 'string' || durationMs(value) === undefined))
    return 'late is a duration like 30s';
  return undefined;
}

/** The one event name among the keys; undefined when there is none, another key, or several. */
export function givenEventName(rest: Readonly<Record<string, unknown>>): EventName | undefined {
  const [name, ...others] = Object.keys(rest);
  return others.length === 0 ? eventNames.find((each) => each === name) : undefined;
}

/** The session id a test's short name stands for. */
export function testSessionId(name: string): string {
  return `s-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

/** A test's events as the journal would have written them, in the order they were taken. */
export function givenRecords(given: readonly GivenEvent[], nowMs: number): readonly AuditRecord[] {
  const timed = given.flatMap((event) =>
    Array.from({ length: event.repeat }, (_, index) => ({
      atMs: nowMs - event.agoMs + index * event.everyMs,
      event,
      number: index + 1,
    })),
  );
  return timed
    .map(({ atMs, event, number }, index) => record(event, atMs, number, index))
    .sort((a, b) => (ingestTime(a) < ingestTime(b) ? -1 : 1));
}

function ingestTime(each: AuditRecord): string {
  return each.additionalEventData['ingestTime'] ?? '';
}

function record(event: GivenEvent, atMs: number, number: number, index: number): AuditRecord {
  const fields = fieldTexts(event, number);
  const text = (name: FieldName) => fields.get(name);
  const lateMs = durationMs(text('late') ?? '0s') ?? 0;
  const principal = text('principal') ?? 'someone';
  const code = text('errorCode') ?? (event.eventName === 'DenyAccess' ? 'AccessDenied' : undefined);
  const errorCode: ErrorCode | undefined = errorCodes.find((each) => each === code);
  const session = text('session');
  const type = principalTypes.find((each) => each === text('type')) ?? 'LocalUser';
  return {
    eventVersion: '1.0',
    eventID: eventId(index),
    eventTime: new Date(atMs).toISOString(),
    eventSource: 'ssh-proxy.example.com',
    eventName: event.eventName,
    eventCategory: 'ActivityAuditLog',
    eventType: 'ActivityLog',
    awsRegion: 'eu-central-1',
    recipientAccountId: '123456789012',
    readOnly: false,
    sourceIPAddress: text('source') ?? '203.0.113.9',
    userAgent: 'SSH-2.0-OpenSSH_9.9',
    userIdentity: { type, principalId: principal, userName: principal },
    requestParameters: { target: 'web-1', targetUser: 'deploy', ...placed(fields, 'requestParameters') },
    responseElements: placed(fields, 'responseElements'),
    additionalEventData: {
      ...(session === undefined ? {} : { sessionId: testSessionId(session) }),
      ...placed(fields, 'additionalEventData'),
      ingestTime: new Date(atMs + lateMs).toISOString(),
    },
    ...(errorCode === undefined ? {} : { errorCode }),
  };
}

/** Labels are written as the gateway writes them: `env=prod,role=db`. */
function fieldText(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return `${value}`;
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([name, each]) => `${name}=${fieldText(each)}`)
    .join(',');
}

/** `${n}` is the number of the repetition, from 1. */
function fieldTexts(event: GivenEvent, number: number): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(event.fields).map(([name, value]) => {
      return [name, fieldText(value).replaceAll('${n}', String(number))];
    }),
  );
}

function placed(fields: ReadonlyMap<string, string>, place: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, where] of Object.entries(fieldPlaces)) {
    const value = fields.get(name);
    if (value !== undefined && where.startsWith(`${place}.`)) found[where.slice(place.length + 1)] = value;
  }
  return found;
}

function eventId(index: number): string {
  return `01900000-0000-7000-8000-${index.toString(16).padStart(12, '0')}`;
}
