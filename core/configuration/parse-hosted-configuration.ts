import type { z } from 'zod';
import { type Complaint, crossChecks } from './cross-checks.ts';
import type { Ec2InventorySettings, HostedConfiguration } from './hosted-configuration.ts';
import { hostedConfigurationSchema } from './hosted-schema.ts';
import { hostedConfigurationJsonSchema } from './json-schema.ts';
import type { Problem } from './problem.ts';
import { schemaComplaints } from './schema-complaints.ts';
import { maxProblems, plainKey, toIdentity, toProblems, toSettings, toTarget } from './written-parts.ts';
import { readYaml, type ValuePath } from './yaml-source.ts';

/** Reads the `sshtrail.yaml` of the AWS form. Tells everything that is wrong with it at once, in the order of the lines. */
export function parseHostedConfiguration(
  text: string,
  fileName: string,
):
  | { readonly ok: true; readonly configuration: HostedConfiguration }
  | { readonly ok: false; readonly problems: readonly Problem[] } {
  const source = readYaml(text, fileName);
  if (source.problems.length > 0) return { ok: false, problems: source.problems.slice(0, maxProblems) };
  const { data, complaints: given } = withoutGiven(source.data);
  const parsed = hostedConfigurationSchema.safeParse(data);
  const complaints = [
    ...given,
    ...(parsed.success ? [] : schemaComplaints(parsed.error.issues, data, hostedConfigurationJsonSchema())),
    ...crossChecks(data, 'hosted'),
    ...inventoryComplaints(data),
  ];
  if (parsed.success && complaints.length === 0)
    return { ok: true, configuration: toHostedConfiguration(parsed.data) };
  return { ok: false, problems: toProblems(source, fileName, complaints) };
}

/** What the one-machine form sets and the deployment gives here: where it comes from instead. */
const given: readonly (readonly [path: readonly string[], fix: string])[] = [
  [
    ['gateway', 'listen'],
    'remove it; tasks listen behind the load balancer, whose port is a setting of the stacks',
  ],
  [['gateway', 'proxyId'], 'remove it; each task is named after its own id'],
  [['gateway', 'eventSource'], 'remove it; it is a setting of the stacks'],
  [['gateway', 'region'], 'remove it; it is the region the stacks are deployed to'],
  [
    ['gateway', 'proxyProtocol'],
    'remove it; whether the load balancer says who connects is a setting of the stacks',
  ],
  [['gateway', 'account'], 'remove it; it is the account the stacks are deployed to'],
  [
    ['userAuthority'],
    'remove it; the key is in KMS, made by the stacks; how long its certificates are valid is set by certificate:',
  ],
  [
    ['engineerAuthority'],
    'remove it; the key is in KMS, made by the stacks; certificateMaxMinutes in sshtrail.config.ts says how long its certificates live',
  ],
  [
    ['hostKeys'],
    'remove it; the first task makes the host key, and all tasks read it from the parameter host-key',
  ],
  [
    ['hostAuthority'],
    'remove it; the first task makes its key, and all tasks read it from the parameter host-authority',
  ],
  [
    ['policies'],
    'remove it; each policy file is a parameter below config/policies/ whose name ends with .cedar',
  ],
  [['notify'], 'remove it; notices go to the SNS topic of the stacks'],
  [['runbooks', 'directory'], 'remove it; runbooks are deployed by the stacks, and set here by their id'],
];
const isGiven = 'is not set here: the deployment gives it';
const noFiles =
  'remove it; there are no files here: write secret, and keep this file as a SecureString parameter';

/** The data without them, so that each is told once and in these words. */
function withoutGiven(data: unknown): { readonly data: unknown; readonly complaints: Complaint[] } {
  const complaints: Complaint[] = [];
  const without = (from: unknown, path: ValuePath, at: ValuePath, fix: string) => {
    const rest = removed(from, path);
    if (rest !== from) complaints.push({ path: [...at, ...path], at: 'key', message: isGiven, fix });
    return rest;
  };
  const rest = given.reduce((from, [path, fix]) => without(from, path, [], fix), data);
  const record = asRecord(rest);
  const identities = record?.['identities'];
  if (record === undefined || !Array.isArray(identities)) return { data: rest, complaints };
  const withoutFiles = identities.map((identity: unknown, index) =>
    without(identity, ['totp', 'secretFile'], ['identities', index], noFiles),
  );
  return { data: { ...record, identities: withoutFiles }, complaints };
}

/** The same object where there is nothing at the path. */
function removed(data: unknown, [step = '', ...more]: ValuePath): unknown {
  const record = asRecord(data);
  const name = String(step);
  if (record === undefined || !Object.hasOwn(record, name)) return data;
  if (more.length === 0) return Object.fromEntries(Object.entries(record).filter(([key]) => key !== name));
  const inner = removed(record[name], more);
  return inner === record[name] ? data : { ...record, [name]: inner };
}

/** Without a tag to choose by, every instance of the account would be a target. */
function inventoryComplaints(data: unknown): Complaint[] {
  const inventory = asRecord(asRecord(data)?.['ec2Inventory']);
  if (inventory?.['enabled'] !== true) return [];
  const tags = asRecord(inventory['selectTags'] ?? {});
  const none = tags !== undefined && Object.keys(tags).length === 0;
  return none
    ? [
        {
          path: ['ec2Inventory', 'selectTags'],
          message: 'names no tag, so that every instance would be a target',
          fix: 'name at least one tag and its value, such as sshtrail:target: "true"',
        },
      ]
    : [];
}

type Written = z.output<typeof hostedConfigurationSchema>;

function toHostedConfiguration(written: Written): HostedConfiguration {
  const { ec2Inventory } = written;
  return {
    gateway: written.gateway,
    identities: written.identities.map(toIdentity),
    awsIdentities: written.awsIdentities,
    trustedUserAuthorities: written.trustedUserAuthorities.map(plainKey),
    targets: written.targets.map(({ credential, ...target }) => toTarget(target, credential)),
    ...(ec2Inventory === undefined ? {} : { ec2Inventory: toInventory(ec2Inventory) }),
    certificate: written.certificate,
    recording: written.recording,
    redaction: written.redaction,
    access: written.access,
    runbooks: { settings: toSettings(written.runbooks) },
  };
}

function toInventory(written: NonNullable<Written['ec2Inventory']>): Ec2InventorySettings {
  const { loginsTag, hostAuthority, ...settings } = written;
  return {
    ...settings,
    ...(loginsTag === undefined ? {} : { loginsTag }),
    ...(hostAuthority === undefined ? {} : { hostAuthority: { keys: hostAuthority.keys.map(plainKey) } }),
  };
}

function asRecord(value: unknown): Record<string, unknown> | undefined {
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
