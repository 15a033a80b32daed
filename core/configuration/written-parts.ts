import type { z } from 'zod';
import type { HostTrust } from '../contract/index.ts';
import type { CredentialFile, Identity, RunbookSetting, TargetEntry } from './configuration.ts';
import type { configurationSchema } from './configuration-schema.ts';
import { type Complaint, pathText } from './cross-checks.ts';
import { parseKeyLine } from './key-line.ts';
import type { Problem } from './problem.ts';
import type { YamlSource } from './yaml-source.ts';

/** Parts that a configuration has on one machine and on AWS: from what the schema let pass to what the code works with. */
type Written = z.output<typeof configurationSchema>;

export const maxProblems = 200;

export function toProblems(source: YamlSource, file: string, complaints: readonly Complaint[]): Problem[] {
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

export function toIdentity(written: Written['identities'][number]): Identity {
  const { name, type, groups, keys, totp, principalId } = written;
  const identity = { name, type, groups, keys: keys.map(plainKey), principalId: principalId ?? name };
  if (totp?.secret !== undefined) return { ...identity, totp: { kind: 'secret', secret: totp.secret } };
  if (totp?.secretFile !== undefined) return { ...identity, totp: { kind: 'file', path: totp.secretFile } };
  return identity;
}

type WrittenTarget = Omit<Written['targets'][number], 'credential'>;

export function toTarget<Credential>(
  written: WrittenTarget,
  credential: Credential | undefined,
): TargetEntry<Credential> {
  const { name, host, port, labels, logins, hostKeys, hostAuthority } = written;
  const hostTrust: HostTrust =
    hostAuthority === undefined
      ? { kind: 'pinned', keys: (hostKeys ?? []).map(plainKey) }
      : {
          kind: 'authority',
          keys: hostAuthority.keys.map(plainKey),
          principals: hostAuthority.principals ?? [host],
        };
  return {
    name,
    host,
    port,
    labels,
    hostTrust,
    ...(logins === undefined ? {} : { logins }),
    ...(credential === undefined ? {} : { credential }),
  };
}

export function toCredentialFile(
  written: Written['targets'][number]['credential'],
): CredentialFile | undefined {
  if (written?.passwordFile !== undefined) return { kind: 'password', passwordFile: written.passwordFile };
  if (written?.keyFile !== undefined)
    return { kind: 'key', keyFile: written.keyFile, passphraseFile: written.passphraseFile };
  return undefined;
}

export function toSettings(written: Record<string, RunbookSetting | string>): Record<string, RunbookSetting> {
  return Object.fromEntries(
    Object.entries(written).flatMap(([id, setting]) => (typeof setting === 'string' ? [] : [[id, setting]])),
  );
}

export function plainKey(line: string): string {
  const read = parseKeyLine(line);
  return read.ok ? read.key : line;
}
