import { closestName, printable } from '../wording/index.ts';
import { runbookIdPattern } from './configuration-schema.ts';
import { parseKeyLine } from './key-line.ts';
import type { ValuePath } from './yaml-source.ts';

/** Something wrong at a path. `at: 'key'` points at the name instead of the value. */
export type Complaint = {
  readonly path: ValuePath;
  readonly at?: 'key';
  readonly message: string;
  readonly fix: string;
};

/** `local`: on one machine, whose files it may name; `hosted`: on AWS, where there are none. */
export type ConfigurationForm = 'local' | 'hosted';

/** What no single value shows. Works on the data as read, so that it finds what it can beside other mistakes. */
export function crossChecks(data: unknown, form: ConfigurationForm): Complaint[] {
  const identities = entriesAt(data, 'identities');
  const targets = entriesAt(data, 'targets');
  return [
    ...sameNames(identities),
    ...sameNames(targets),
    ...sameKeys(data, identities),
    ...identities.flatMap(({ path, value }) => identityComplaints(data, path, value, form)),
    ...targets.flatMap(({ path, value }) => hostTrustComplaints(path, value)),
    ...(form === 'local' ? targets.flatMap(({ path, value }) => credentialComplaints(path, value)) : []),
    ...runbookComplaints(data, form),
    ...keyReuse(data),
  ];
}

type Entry = { readonly path: ValuePath; readonly value: Record<string, unknown> };

function sameNames(entries: readonly Entry[]): Complaint[] {
  const first = new Map<string, string>();
  return entries.flatMap(({ path, value }) => {
    const { name } = value;
    if (typeof name !== 'string') return [];
    const earlier = first.get(name.toLowerCase());
    if (earlier === undefined) {
      first.set(name.toLowerCase(), pathText(path));
      return [];
    }
    const message = `"${printable(name.slice(0, 128))}" is already ${earlier} (names differ by more than case)`;
    return [{ path: [...path, 'name'], message, fix: 'give each a name of its own' }];
  });
}

function sameKeys(data: unknown, identities: readonly Entry[]): Complaint[] {
  const lines = [
    ...identities.flatMap(({ path, value }) => linesAt([...path, 'keys'], value['keys'])),
    ...linesAt(['trustedUserAuthorities'], isRecord(data) ? data['trustedUserAuthorities'] : undefined),
  ];
  const first = new Map<string, ValuePath>();
  return lines.flatMap(({ path, line }) => {
    const read = parseKeyLine(line);
    if (!read.ok) return [];
    const earlier = first.get(read.key);
    if (earlier === undefined) {
      first.set(read.key, path);
      return [];
    }
    return [
      {
        path,
        message: `is the same key as ${pathText(earlier)}`,
        fix: 'a key proves one identity: keep it in one place',
      },
    ];
  });
}

function identityComplaints(
  data: unknown,
  path: ValuePath,
  identity: Record<string, unknown>,
  form: ConfigurationForm,
): Complaint[] {
  const complaints: Complaint[] = [];
  const { keys, totp } = identity;
  const authorities = isRecord(data) ? data['trustedUserAuthorities'] : undefined;
  const noKeys = keys === undefined || keys === null || (Array.isArray(keys) && keys.length === 0);
  if (noKeys && (!Array.isArray(authorities) || authorities.length === 0))
    complaints.push({
      path,
      message: 'has no key, and no authority is trusted, so that it can never be proved',
      fix: 'add keys: with the line of a .pub file, or trustedUserAuthorities',
    });
  if (form === 'hosted' && isRecord(totp) && !('secret' in totp))
    complaints.push({ path: [...path, 'totp'], message: 'has no secret', fix: 'add secret: in base32' });
  if (form === 'local' && isRecord(totp) && 'secret' in totp === 'secretFile' in totp)
    complaints.push({
      path: [...path, 'totp'],
      message: 'secret' in totp ? 'has both secret and secretFile' : 'has neither secret nor secretFile',
      fix: 'write one of the two',
    });
  return complaints;
}

function hostTrustComplaints(path: ValuePath, target: Record<string, unknown>): Complaint[] {
  const pinned = 'hostKeys' in target;
  if (pinned !== 'hostAuthority' in target) return [];
  if (pinned)
    return [
      {
        path,
        message: 'has both hostKeys and hostAuthority',
        fix: 'keep the way by which this target is known',
      },
    ];
  const { host, port } = target;
  const isPlain = typeof host === 'string' && /^[A-Za-z0-9_.:-]{1,253}$/.test(host) && !host.startsWith('-');
  const scan = `ssh-keyscan -t ed25519 -p ${typeof port === 'number' ? port : 22} ${isPlain ? host : 'HOST'}`;
  return [
    {
      path,
      message: 'has neither hostKeys nor hostAuthority, so that nothing shows it is the right server',
      fix: `run "${scan}", compare the key with the one on the server itself, and add it: hostKeys: ['ssh-ed25519 AAAA...']`,
    },
  ];
}

function credentialComplaints(path: ValuePath, { credential }: Record<string, unknown>): Complaint[] {
  if (!isRecord(credential)) return [];
  const [key, password] = ['keyFile' in credential, 'passwordFile' in credential];
  if (key === password)
    return [
      {
        path: [...path, 'credential'],
        message: key ? 'has both keyFile and passwordFile' : 'has neither keyFile nor passwordFile',
        fix: 'write one of the two',
      },
    ];
  return password && 'passphraseFile' in credential
    ? [
        {
          path: [...path, 'credential', 'passphraseFile'],
          at: 'key',
          message: 'is for a key, and there is none',
          fix: 'remove it',
        },
      ]
    : [];
}

function runbookComplaints(data: unknown, form: ConfigurationForm): Complaint[] {
  const runbooks = isRecord(data) ? data['runbooks'] : undefined;
  if (!isRecord(runbooks)) return [];
  const others = form === 'local' ? ['directory'] : [];
  return Object.keys(runbooks)
    .filter((name) => !others.includes(name) && !runbookIdPattern.test(name))
    .map((name) => {
      const meant =
        closestName(name, others) ??
        (runbookIdPattern.test(name.toUpperCase()) ? name.toUpperCase() : undefined);
      return {
        path: ['runbooks', name],
        at: 'key',
        message: form === 'local' ? 'is neither directory nor a runbook id' : 'is no runbook id',
        fix: meant === undefined ? 'write an id such as SSH-002' : `did you mean ${meant}?`,
      };
    });
}

/** A gateway's host key that also signs user certificates would make whoever has it both. */
function keyReuse(data: unknown): Complaint[] {
  if (!isRecord(data) || !isRecord(data['userAuthority']) || !isRecord(data['hostKeys'])) return [];
  const { keyFile } = data['userAuthority'];
  return linesAt(['hostKeys', 'files'], data['hostKeys']['files'])
    .filter(({ line }) => line === keyFile)
    .map(({ path }) => ({
      path,
      message: 'is also the key of userAuthority',
      fix: 'make a key for each: ssh-keygen -t ed25519',
    }));
}

/** `targets[0].hostKeys[1]`; names that are no plain words in quotes. */
export function pathText(path: ValuePath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    const name = /^[\w-]{1,64}$/.test(step) ? step : `"${printable(step.slice(0, 64))}"`;
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

function entriesAt(data: unknown, section: string): Entry[] {
  const list = isRecord(data) ? data[section] : undefined;
  if (!Array.isArray(list)) return [];
  return list.flatMap((value: unknown, index) =>
    isRecord(value) ? [{ path: [section, index], value }] : [],
  );
}

function linesAt(path: ValuePath, list: unknown): { readonly path: ValuePath; readonly line: string }[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((line: unknown, index) =>
    typeof line === 'string' ? [{ path: [...path, index], line }] : [],
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
