import { z } from 'zod';
import { closestName, printable } from '../wording/index.ts';
import {
  auditTrail,
  commandAction,
  type ForwardDestination,
  type PolicyAction,
  type PolicyRequest,
  policyActionNames,
  resourceType,
} from './policy-request.ts';

const name = z.string().min(1).max(256);
const text = z.string().max(64 * 1024);
const count = z.int().min(0).max(1_000_000_000);

/** A question in the words of people: a line of a table of tests, or the options of a command. */
export const writtenRequest = z.strictObject({
  user: name,
  /** Not for `viewRecording`, `query` and `export`; `revoke` without one is about all of them. */
  target: name.optional(),
  login: name.optional(),
  action: z.enum(policyActionNames),
  command: text.optional(),
  subsystem: name.optional(),
  path: text.optional(),
  bytes: count.optional(),
  program: name.optional(),
  /** `host:port`, `[address]:port` or the path of a Unix socket. */
  destination: z.string().max(1024).optional(),
  mfa: z.enum(['totp', 'fido2', 'iam', 'identity-center-asserted', 'certificate', 'none']).optional(),
  mfaAgeSeconds: count.optional(),
  approvals: z.int().min(0).max(100).optional(),
  breakGlass: z.boolean().optional(),
  reason: text.optional(),
  sessions: count.optional(),
  source: z.union([z.ipv4(), z.ipv6()]).optional(),
  at: z.iso.datetime({ offset: true }).optional(),
});
export type WrittenRequest = z.output<typeof writtenRequest>;

/** Who and what there is, as far as policy is concerned. */
export type KnownNames = {
  readonly identities: readonly {
    readonly name: string;
    readonly type: 'person' | 'service';
    readonly groups: readonly string[];
  }[];
  readonly targets: readonly (PolicyRequest['target'] & { readonly logins?: readonly string[] })[];
};

export type ReadRequest =
  | { readonly kind: 'request'; readonly request: PolicyRequest }
  /** The gateway refuses it before it asks any policy. */
  | {
      readonly kind: 'refused';
      readonly reason: 'unknown-target' | 'login-not-listed';
      readonly message: string;
    }
  | { readonly kind: 'unusable'; readonly message: string };

/** Puts what is known beside what was written. */
export function readRequest(written: WrittenRequest, known: KnownNames, nowMs: number): ReadRequest {
  const identity = known.identities.find((candidate) => candidate.name === written.user);
  if (identity === undefined)
    return unusable(
      `there is no user ${quoted(written.user, known.identities)}${known.identities.length === 0 ? '' : '; users are the identities of the configuration'}`,
    );
  const action = readAction(written);
  if (typeof action === 'string') return unusable(action);
  const place = readPlace(action, written, known);
  if ('kind' in place) return place;
  const { mfa, mfaAgeSeconds, approvals, breakGlass, reason, sessions, source, at } = written;
  if (mfaAgeSeconds !== undefined && (mfa === undefined || mfa === 'none'))
    return unusable('mfaAgeSeconds is the age of a factor; say by mfa which one');
  return {
    kind: 'request',
    request: {
      identity: { name: identity.name, kind: identity.type, groups: identity.groups },
      ...place,
      action,
      sourceIp: source ?? '192.0.2.1',
      nowMs: at === undefined ? nowMs : Date.parse(at),
      ...(mfa === undefined || mfa === 'none'
        ? {}
        : { mfa: { method: mfa, ageSeconds: mfaAgeSeconds ?? 0 } }),
      ...(reason === undefined ? {} : { reason }),
      ...(sessions === undefined ? {} : { sessionCount: sessions }),
      ...(approvals === undefined && breakGlass === undefined
        ? {}
        : { approval: { count: approvals ?? 0, breakGlass: breakGlass ?? false } }),
    },
  };
}

function readPlace(
  action: PolicyAction,
  { target: targetName, login }: WrittenRequest,
  known: KnownNames,
): Pick<PolicyRequest, 'target' | 'login'> | Exclude<ReadRequest, { readonly kind: 'request' }> {
  if (resourceType(action) === 'System')
    return targetName === undefined && login === undefined
      ? auditTrail
      : unusable(`${action.kind} is about the audit trail as a whole; leave target and login out`);
  // A lock may be about all accounts of a target.
  if (targetName === undefined || (login === undefined && action.kind !== 'revoke'))
    return unusable(`${action.kind} needs a target and a login`);
  const target = known.targets.find((candidate) => candidate.name === targetName);
  if (target === undefined)
    return {
      kind: 'refused',
      reason: 'unknown-target',
      message: `there is no target ${quoted(targetName, known.targets)}`,
    };
  if (login !== undefined && target.logins !== undefined && !target.logins.includes(login))
    return {
      kind: 'refused',
      reason: 'login-not-listed',
      message: `${target.name} has no account ${printable(login)} for engineers; it has ${target.logins.join(', ')}`,
    };
  const { host, port, labels } = target;
  return { target: { name: target.name, host, port, labels }, login: login ?? '' };
}

type ActionWords = 'command' | 'subsystem' | 'path' | 'bytes' | 'program' | 'destination';
const actionWords: readonly ActionWords[] = [
  'command',
  'subsystem',
  'path',
  'bytes',
  'program',
  'destination',
];

/** The action, or what is wrong with it. */
function readAction(written: WrittenRequest): PolicyAction | string {
  const { action, command, subsystem, path, bytes, program, destination } = written;
  const fitting = wordsOf(action);
  const astray = actionWords.find((word) => written[word] !== undefined && !fitting.includes(word));
  if (astray !== undefined) return `${astray} does not belong to ${action}; leave it out`;
  switch (action) {
    case 'exec':
    case 'command':
      return command === undefined ? `${action} needs a command` : commandAction(action, command);
    case 'subsystem':
      return subsystem === undefined ? 'subsystem needs its name, such as sftp' : { kind: action, subsystem };
    case 'upload':
    case 'download':
      return {
        kind: action,
        ...(path === undefined ? {} : { path }),
        ...(bytes === undefined ? {} : { bytes }),
        ...(program === undefined ? {} : { program }),
      };
    case 'forwardLocal':
    case 'forwardRemote': {
      const where = destination === undefined ? undefined : readDestination(destination);
      return where === undefined
        ? `${action} needs a destination: host:port, [address]:port or the path of a Unix socket`
        : { kind: action, destination: where };
    }
    case 'revoke':
      return { kind: action, everywhere: written.target === undefined && written.login === undefined };
    default:
      return { kind: action };
  }
}

function wordsOf(action: PolicyAction['kind']): readonly ActionWords[] {
  switch (action) {
    case 'exec':
    case 'command':
      return ['command'];
    case 'subsystem':
      return ['subsystem'];
    case 'upload':
    case 'download':
      return ['path', 'bytes', 'program'];
    case 'forwardLocal':
    case 'forwardRemote':
      return ['destination'];
    default:
      return [];
  }
}

function readDestination(written: string): ForwardDestination | undefined {
  if (written.startsWith('/')) return { kind: 'unix', path: written };
  const [, bracketed, plain, port = ''] =
    /^(?:\[([^\]]{1,255})\]|([^:[\]]{1,255})):(\d{1,5})$/.exec(written) ?? [];
  const host = bracketed ?? plain;
  return host === undefined || Number(port) > 65_535 ? undefined : { kind: 'tcp', host, port: Number(port) };
}

function quoted(wrong: string, candidates: readonly { readonly name: string }[]): string {
  const meant = closestName(
    wrong,
    candidates.map((candidate) => candidate.name),
  );
  return `"${printable(wrong)}"${meant === undefined ? '' : `; did you mean "${printable(meant)}"?`}`;
}

function unusable(message: string): Extract<ReadRequest, { readonly kind: 'unusable' }> {
  return { kind: 'unusable', message };
}
