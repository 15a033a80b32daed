import type { z } from 'zod';
import type { HostTrust } from '../contract/index.ts';
import type { Configuration, Identity, RunbookSetting, TargetEntry } from './configuration.ts';
import { configurationSchema } from './configuration-schema.ts';
import { type Complaint, crossChecks, pathText } from './cross-checks.ts';
import { parseKeyLine } from './key-line.ts';
import type { Problem } from './problem.ts';
import { schemaComplaints } from './schema-complaints.ts';
import { readYaml, type YamlSource } from './yaml-source.ts';

const maxProblems = 200;

/** Reads one `sshtrail.yaml`. Tells everything that is wrong with it at once, in the order of the lines. */
export function parseConfiguration(
  text: string,
  fileName: string,
):
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly problems: readonly Problem[] } {
  const source = readYaml(text, fileName);
  if (source.problems.length > 0) return { ok: false, problems: source.problems.slice(0, maxProblems) };
  const parsed = configurationSchema.safeParse(source.data);
  const complaints = [
    ...(parsed.success ? [] : schemaComplaints(parsed.error.issues, source.data)),
    ...crossChecks(source.data),
  ];
  if (parsed.success && complaints.length === 0)
    return { ok: true, configuration: toConfiguration(parsed.data) };
  return { ok: false, problems: toProblems(source, fileName, complaints) };
}

function toProblems(source: YamlSource, file: string, complaints: readonly Complaint[]): Problem[] {
  return complaints
    .map(({ path, at, message, fix }) => ({
      file,
      ...source.locate(path, at),
      path: pathText(path),
      message,
      fix,
    }))
    .sort((one, other) => one.line - other.line || one.column - other.column)
    .slice(0, maxProblems);
}

type Written = z.output<typeof configurationSchema>;

function toConfiguration(written: Written): Configuration {
  const { directory, ...settings } = written.runbooks;
  return {
    gateway: written.gateway,
    identities: written.identities.map(toIdentity),
    trustedUserAuthorities: written.trustedUserAuthorities.map(plainKey),
    targets: written.targets.map(toTarget),
    policies: written.policies,
    userAuthority: written.userAuthority,
    hostKeys: written.hostKeys,
    recording: written.recording,
    runbooks: { ...(directory === undefined ? {} : { directory }), settings: toSettings(settings) },
    notify: written.notify.webhook === undefined ? {} : { webhook: written.notify.webhook },
  };
}

function toIdentity(written: Written['identities'][number]): Identity {
  const { name, type, groups, keys, totp, principalId } = written;
  const identity = { name, type, groups, keys: keys.map(plainKey), principalId: principalId ?? name };
  if (totp?.secret !== undefined) return { ...identity, totp: { kind: 'secret', secret: totp.secret } };
  if (totp?.secretFile !== undefined) return { ...identity, totp: { kind: 'file', path: totp.secretFile } };
  return identity;
}

function toTarget(written: Written['targets'][number]): TargetEntry {
  const { name, host, port, labels, logins, hostKeys, hostAuthority } = written;
  const hostTrust: HostTrust =
    hostAuthority === undefined
      ? { kind: 'pinned', keys: (hostKeys ?? []).map(plainKey) }
      : {
          kind: 'authority',
          keys: hostAuthority.keys.map(plainKey),
          principals: hostAuthority.principals ?? [host],
        };
  return { name, host, port, labels, hostTrust, ...(logins === undefined ? {} : { logins }) };
}

function toSettings(written: Record<string, RunbookSetting | string>): Record<string, RunbookSetting> {
  return Object.fromEntries(
    Object.entries(written).flatMap(([id, setting]) => (typeof setting === 'string' ? [] : [[id, setting]])),
  );
}

function plainKey(line: string): string {
  const read = parseKeyLine(line);
  return read.ok ? read.key : line;
}
