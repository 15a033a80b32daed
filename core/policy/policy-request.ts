import type { Context, EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import { isPrivileged, programOf } from './command-parts.ts';

/** Every action a policy can speak of; a closed list. */
export const policyActionNames = [
  'connect',
  'shell',
  'exec',
  'command',
  'subsystem',
  'upload',
  'download',
  'forwardLocal',
  'forwardRemote',
  'forwardAgent',
  'forwardX11',
  'approve',
  'revoke',
  'viewRecording',
  'query',
  'export',
] as const satisfies readonly PolicyAction['kind'][];

const actionGroups: ReadonlyMap<string, string> = new Map<PolicyAction['kind'], string>([
  ['connect', 'session'],
  ['shell', 'session'],
  ['exec', 'session'],
  ['command', 'session'],
  ['subsystem', 'session'],
  ['upload', 'transfer'],
  ['download', 'transfer'],
  ['forwardLocal', 'forward'],
  ['forwardRemote', 'forward'],
  ['forwardAgent', 'forward'],
  ['forwardX11', 'forward'],
  ['approve', 'oversight'],
  ['revoke', 'oversight'],
  ['viewRecording', 'oversight'],
  ['query', 'oversight'],
  ['export', 'oversight'],
]);

const ofSystem: ReadonlySet<string> = new Set<PolicyAction['kind']>(['viewRecording', 'query', 'export']);

/** What is asked for, and what belongs to that alone. */
export type PolicyAction =
  | { readonly kind: 'connect' | 'shell' | 'forwardAgent' | 'forwardX11' }
  /** Somebody else's request for access to the target. `login` is what that is for. */
  | { readonly kind: 'approve' }
  /** Ends sessions on the target, or locks it. `everywhere`: whatever the target, which is `auditTrail` then. */
  | { readonly kind: 'revoke'; readonly everywhere?: boolean }
  /** About the audit trail as a whole: the target is `auditTrail`. */
  | { readonly kind: 'viewRecording' | 'query' | 'export' }
  | CommandAction
  | { readonly kind: 'subsystem'; readonly subsystem: string }
  | FileAction
  /** Where it leads (local) or listens (remote). */
  | { readonly kind: 'forwardLocal' | 'forwardRemote'; readonly destination: ForwardDestination };

/** As `commandAction` makes it. */
export type CommandAction = {
  readonly kind: 'exec' | 'command';
  readonly command: string;
  /** The command's first word, where it could be told. */
  readonly program?: string;
  /** Whether it plainly asks for another account's rights, as with sudo. */
  readonly privileged?: boolean;
};

type FileAction = {
  readonly kind: 'upload' | 'download';
  /** On the target, where it is known by then; from the root on, as far as that is known. */
  readonly path?: string;
  /** How long the file is, where it is said beforehand. */
  readonly bytes?: number;
  /** `sftp`, `scp`, `rsync` or `git`. */
  readonly program?: string;
};

export type ForwardDestination =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** The question about a command, with what its text says. */
export function commandAction(kind: CommandAction['kind'], command: string): CommandAction {
  const program = programOf(command);
  return {
    kind,
    command,
    privileged: isPrivileged(command),
    ...(program === undefined ? {} : { program }),
  };
}

/** A second factor this connection proved. */
type ProvenMfa = {
  /** `totp`, `fido2` or `certificate`. */
  readonly method: string;
  readonly ageSeconds: number;
};

/** One question to the policies. */
export type PolicyRequest = {
  readonly identity: {
    readonly name: string;
    readonly kind: 'person' | 'service';
    readonly groups: readonly string[];
  };
  readonly target: {
    readonly name: string;
    readonly host: string;
    readonly port: number;
    readonly labels: Readonly<Record<string, string>>;
  };
  /** The account on the target. */
  readonly login: string;
  readonly action: PolicyAction;
  readonly mfa?: ProvenMfa;
  /** IPv4 or IPv6 as text. */
  readonly sourceIp: string;
  readonly nowMs: number;
  /** In the engineer's words. */
  readonly reason?: string;
  /** What others granted of what is asked for; absent where nothing was requested. */
  readonly approval?: { readonly count: number; readonly breakGlass: boolean };
  /** Live sessions of the identity on all gateways, where they were counted. */
  readonly sessionCount?: number;
};

/** What `viewRecording`, `query`, `export` and `revoke` everywhere are about, and the login there. */
export const auditTrail = {
  target: { name: 'sshtrail', host: '', port: 0, labels: {} },
  login: '',
} as const satisfies Pick<PolicyRequest, 'target' | 'login'>;

/** Older than any factor: what a policy reads as the age of a factor that was never proved. */
const neverSeconds = Number.MAX_SAFE_INTEGER;

/** What the policies at hand read; the rest cannot change their answer and need not be handed over, which takes most of the time. */
export type ReadNames = {
  readonly attributes: ReadonlySet<string>;
  /** Entities named in the text, as `entityKey` writes them. `in` can hold for these alone. */
  readonly entities: ReadonlySet<string>;
  readonly tags: boolean;
  /** Some policy handles the context as a whole. */
  readonly wholeContext: boolean;
};

/** The group an action is in, or undefined for a name that is no action of the schema. */
export function actionGroup(kind: string): string | undefined {
  return actionGroups.get(kind);
}

/** The type of what the action is done to. */
export function resourceType(action: PolicyAction): 'Host' | 'System' {
  const isEverywhere = action.kind === 'revoke' && action.everywhere === true;
  return isEverywhere || ofSystem.has(action.kind) ? 'System' : 'Host';
}

/** `env=prod` for each label. */
export function hostGroups(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).map(([label, value]) => `${label}=${value}`);
}

/** One text for a type and an id. */
export function entityKey(type: string, id: string): string {
  return `${type}::${id}`;
}

/**
 * The id of the user or the resource in a question. One that no policy at hand names cannot matter: what is known of it stands in its
 * attributes and groups. All of those get the same one, so that the question is the same, too.
 */
export function idInQuestion(type: string, id: string, { entities }: ReadNames): string {
  return entities.has(entityKey(type, id)) || entities.has(entityKey(type, nobodyNamed)) ? id : nobodyNamed;
}

const nobodyNamed = '?';

/** The user, the host and the action as Cedar entities. */
export function entitiesOf(request: PolicyRequest, group: string, read: ReadNames): EntityJson[] {
  const { identity, target } = request;
  const resource = resourceType(request.action);
  const entities: EntityJson[] = [
    {
      uid: { type: 'User', id: idInQuestion('User', identity.name, read) },
      attrs: onlyRead({ name: identity.name, kind: identity.kind }, read.attributes),
      parents: parentsOf('Group', identity.groups, read),
    },
    {
      uid: { type: resource, id: idInQuestion(resource, target.name, read) },
      attrs: onlyRead({ name: target.name, host: target.host, port: target.port }, read.attributes),
      parents: parentsOf('HostGroup', hostGroups(target.labels), read),
      ...(read.tags ? { tags: { ...target.labels } } : {}),
    },
    {
      uid: { type: 'Action', id: request.action.kind },
      attrs: {},
      parents: parentsOf('Action', [group], read),
    },
  ];
  return entities.filter(
    ({ attrs, parents, tags }) => Object.keys(attrs).length > 0 || parents.length > 0 || tags !== undefined,
  );
}

function parentsOf(type: string, ids: readonly string[], read: ReadNames): { type: string; id: string }[] {
  return ids.filter((id) => read.entities.has(entityKey(type, id))).map((id) => ({ type, id }));
}

/** What the schema calls context. */
export function contextOf(request: PolicyRequest, read: ReadNames): Context {
  const now = new Date(request.nowMs);
  const context: Context = {
    login: request.login,
    mfa: request.mfa !== undefined,
    mfaMethod: request.mfa?.method ?? 'none',
    mfaAgeSeconds: request.mfa === undefined ? neverSeconds : Math.max(0, Math.floor(request.mfa.ageSeconds)),
    sourceIp: { __extn: { fn: 'ip', arg: plainAddress(request.sourceIp) } },
    time: { __extn: { fn: 'datetime', arg: now.toISOString() } },
    hour: now.getUTCHours(),
    dayOfWeek: now.getUTCDay() === 0 ? 7 : now.getUTCDay(),
    reason: request.reason ?? '',
    approved: (request.approval?.count ?? 0) > 0,
    approvals: request.approval?.count ?? 0,
    breakGlass: request.approval?.breakGlass ?? false,
    ...(request.sessionCount === undefined ? {} : { sessionCount: request.sessionCount }),
    ...actionContext(request.action),
  };
  return read.wholeContext ? context : onlyRead(context, read.attributes);
}

function actionContext(action: PolicyAction): Context {
  if (action.kind === 'exec' || action.kind === 'command')
    return {
      command: action.command,
      privileged: action.privileged ?? false,
      ...(action.program === undefined ? {} : { program: action.program }),
    };
  if (action.kind === 'subsystem') return { subsystem: action.subsystem };
  if (action.kind === 'upload' || action.kind === 'download') {
    const { path, bytes, program } = action;
    return {
      ...(path === undefined ? {} : { path }),
      ...(bytes === undefined ? {} : { bytes }),
      ...(program === undefined ? {} : { program }),
    };
  }
  if (action.kind === 'forwardLocal' || action.kind === 'forwardRemote')
    return action.destination.kind === 'tcp'
      ? { host: action.destination.host, port: action.destination.port, path: '' }
      : { host: '', port: 0, path: action.destination.path };
  action.kind satisfies
    | 'connect'
    | 'shell'
    | 'forwardAgent'
    | 'forwardX11'
    | 'approve'
    | 'revoke'
    | 'viewRecording'
    | 'query'
    | 'export';
  return {};
}

/** A rule for 192.0.2.0/24 must also meet that address where a dual-stack socket calls it ::ffff:192.0.2.1. Zones are cut off. */
function plainAddress(address: string): string {
  const mapped = /^::ffff:(?:(\d{1,3}(?:\.\d{1,3}){3})|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i.exec(address);
  if (mapped === null) return address.replace(/%.*$/, '');
  const [, dotted, high, low] = mapped;
  if (dotted !== undefined) return dotted;
  const value = Number.parseInt(`${high?.padStart(4, '0')}${low?.padStart(4, '0')}`, 16);
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}

function onlyRead<Value>(all: Record<string, Value>, names: ReadonlySet<string>): Record<string, Value> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.has(name)));
}
