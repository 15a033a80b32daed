import type { Target } from '#core/contract';
import { formatKnownHostsLine, type PublicKey } from '#ssh';
import { CliError } from './cli-error.ts';

/** What an engineer's ssh has to know to get through a gateway without being asked anything. */
export type ClientFiles = {
  /** The name in `ssh -J NAME`, and of the Host block. */
  readonly alias: string;
  /** Where clients reach the gateway. */
  readonly host: string;
  readonly port: number;
  readonly hostKeys: readonly PublicKey[];
  /** Vouches for the gateway as its targets; without it `ssh -J` asks about each of them. */
  readonly hostAuthority?: PublicKey;
  readonly targets: readonly Pick<Target, 'name'>[];
  readonly knownHostsFile: string;
  readonly identityFile?: string;
};

/** The name under which the gateway's host keys stand in known_hosts, whatever the address and the port. */
const hostKeyAlias = 'sshtrail-gateway';

/** ssh_config(5): `ssh LOGIN@TARGET@ALIAS`, `ssh -J ALIAS LOGIN@TARGET`, and `ssh LOGIN@TARGET` by the blocks of the targets. */
export function clientConfiguration(files: ClientFiles): readonly string[] {
  const identity =
    files.identityFile === undefined
      ? []
      : [`  IdentityFile ${quotedPath(files.identityFile)}`, '  IdentitiesOnly yes'];
  const trust = [`  UserKnownHostsFile ${quotedPath(files.knownHostsFile)}`, '  StrictHostKeyChecking yes'];
  const names = files.hostAuthority === undefined ? [] : files.targets.map(({ name }) => name);
  return [
    `Host ${files.alias}`,
    `  HostName ${files.host}`,
    `  Port ${files.port}`,
    `  HostKeyAlias ${hostKeyAlias}`,
    ...trust,
    ...identity,
    ...(names.length === 0
      ? []
      : [`Host ${names.join(' ')}`, `  ProxyJump ${files.alias}`, ...trust, ...identity]),
  ];
}

/** known_hosts lines (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export function knownHostsLines({ hostKeys, hostAuthority, targets }: ClientFiles): readonly string[] {
  const own = hostKeys.map((publicKey) => formatKnownHostsLine({ patterns: [hostKeyAlias], publicKey }));
  if (hostAuthority === undefined || targets.length === 0) return own;
  const patterns = targets.map(({ name }) => name);
  return [...own, `@cert-authority ${formatKnownHostsLine({ patterns, publicKey: hostAuthority })}`];
}

/** ssh_config takes double quotes around a path with blanks; a quote inside cannot be said. */
function quotedPath(path: string): string {
  if (/["\n]/.test(path))
    throw new CliError(
      'unusable-data',
      `the path ${JSON.stringify(path)} has a quote or a line feed, which ssh cannot read; choose another, such as with --data DIR`,
    );
  return `"${path}"`;
}
