import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFileSigner } from '#adapters/local';
import type { Row, Target } from '#core/contract';
import {
  formatKnownHostsLine,
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  type PrivateKey,
  remoteSigner,
} from '#ssh';
import { type DataDirectory, dataDirectory } from '../../cli/data-directory.ts';
import { ask, withLake } from '../../cli/lake-query.ts';
import { type PrivateSshd, startPrivateSshd } from '../../cli/playground/private-sshd.ts';

export type PreparationOptions = {
  /** More lines for the target's sshd_config. */
  readonly sshdConfiguration?: readonly string[];
  /** Cedar text; everything is permitted to engineers when absent. */
  readonly policy?: string;
  /** More lines for sshtrail.yaml, at its top level. */
  readonly configuration?: string;
  /** More lines for the map under `gateway:`, without indentation. */
  readonly gatewayConfiguration?: readonly string[];
  /** One address may begin as many connections as it likes. */
  readonly unlimitedStarts?: boolean;
  /** More identities: YAML list items. */
  readonly identities?: string;
  readonly engineerKeyType?: 'ed25519' | 'ecdsa-p256';
  /** The gateway's Ed25519 host key; a new one when absent. */
  readonly gatewayKey?: PrivateKey;
  /** Host keys of the gateway beside its Ed25519 one. */
  readonly moreHostKeys?: readonly PrivateKey[];
  /** More targets: YAML list items. */
  readonly targets?: string;
};

/** A data directory with all a gateway needs, a real sshd it may reach, and what a stock client needs to get through it. */
export type PreparedGateway = {
  readonly folder: string;
  readonly data: DataDirectory;
  readonly sshd: PrivateSshd;
  readonly target: Target;
  readonly login: string;
  readonly engineerKey: PrivateKey;
  readonly engineerFile: string;
  /** Options for ssh, scp and sftp that need no prompt and no file of this machine's user. */
  sshOptions(port: number): readonly string[];
  /** An ssh_config(5) file whose Host `gateway` is the gateway, and whose targets are reached through it by name. */
  writeJumpConfiguration(port: number): string;
  /** `LOGIN@TARGET@127.0.0.1`. */
  destination(target?: string): string;
  query(sql: string): Promise<readonly Row[]>;
  /** Asks until there are rows, or fails after ten seconds. */
  eventually(sql: string): Promise<readonly Row[]>;
  /** Stops the sshd and removes every file. */
  remove(): Promise<void>;
};

const permitAll = `@id("all") permit (principal in Group::"engineers", action, resource);\n`;

export async function prepareGateway(options: PreparationOptions = {}): Promise<PreparedGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'sshtrail-stack-'));
  const data = dataDirectory(join(folder, 'data'));
  for (const path of [data.root, data.keys]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const authority = remoteSigner(await createFileSigner(data.userAuthorityKey));
  const hostAuthority = remoteSigner(await createFileSigner(data.hostAuthorityKey));
  const gatewayKey = options.gatewayKey ?? generatePrivateKey('ed25519');
  const engineerKey = generatePrivateKey(options.engineerKeyType ?? 'ed25519');
  const targetKey = generatePrivateKey('ed25519');
  const engineerFile = join(folder, 'id_engineer');
  const knownHosts = join(folder, 'known_hosts');
  const secret = (path: string, text: string) => writeFileSync(path, text, { mode: 0o600 });
  secret(data.hostKey, formatPrivateKey(gatewayKey, 'gateway'));
  secret(engineerFile, formatPrivateKey(engineerKey, 'engineer'));
  const moreHostKeys = options.moreHostKeys ?? [];
  for (const [index, key] of moreHostKeys.entries())
    secret(join(data.keys, `host-${index}`), formatPrivateKey(key, 'gateway'));
  const knownHostsLines = [
    ...[gatewayKey, ...moreHostKeys].map(({ publicKey }) =>
      formatKnownHostsLine({ patterns: ['gateway'], publicKey }),
    ),
    `@cert-authority ${formatKnownHostsLine({ patterns: ['web-*', 'echo-*'], publicKey: hostAuthority.publicKey })}`,
  ];
  secret(knownHosts, `${knownHostsLines.join('\n')}\n`);
  secret(data.policy, options.policy ?? permitAll);

  const sshd = await startPrivateSshd({
    directory: join(folder, 'sshd'),
    authority: formatPublicKeyLine(authority.publicKey),
    hostKey: formatPrivateKey(targetKey, 'target'),
    ...(options.sshdConfiguration === undefined ? {} : { extraConfiguration: options.sshdConfiguration }),
  });
  const hostKey = formatPublicKeyLine(targetKey.publicKey);
  const target: Target = {
    name: 'web-1',
    host: '127.0.0.1',
    port: sshd.port,
    labels: { env: 'test' },
    hostTrust: { kind: 'pinned', keys: [hostKey] },
  };
  secret(
    data.configuration,
    configurationText(formatPublicKeyLine(engineerKey.publicKey), target, hostKey, options),
  );

  const login = userInfo().username;
  const query = (sql: string) =>
    withLake(data, async (engine) => (await ask(engine, sql, 30_000, 10_000)).rows);
  return {
    folder,
    data,
    sshd,
    target,
    login,
    engineerKey,
    engineerFile,
    sshOptions: (port) => sshOptions({ port, engineerFile, knownHosts }),
    writeJumpConfiguration(port) {
      const file = join(folder, 'jump_config');
      secret(
        file,
        `Host gateway
  HostName 127.0.0.1
  Port ${port}
  HostKeyAlias gateway
Host *
  User ${login}
  IdentityFile ${engineerFile}
  IdentitiesOnly yes
  BatchMode yes
  UserKnownHostsFile ${knownHosts}
  StrictHostKeyChecking yes
`,
      );
      return file;
    },
    destination: (name = target.name) => `${login}@${name}@127.0.0.1`,
    query,
    async eventually(sql) {
      const deadline = Date.now() + 10_000;
      for (;;) {
        const rows = await query(sql);
        if (rows.length > 0) return rows;
        if (Date.now() > deadline) throw new Error(`no row within 10 s: ${sql}`);
        await sleep(100);
      }
    },
    async remove() {
      await sshd.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function sshOptions(client: {
  readonly port: number;
  readonly engineerFile: string;
  readonly knownHosts: string;
}): readonly string[] {
  const options = [
    `Port=${client.port}`,
    `IdentityFile=${client.engineerFile}`,
    'IdentitiesOnly=yes',
    `UserKnownHostsFile=${client.knownHosts}`,
    'HostKeyAlias=gateway',
    'StrictHostKeyChecking=yes',
  ];
  return ['-F', '/dev/null', ...options.flatMap((option) => ['-o', option])];
}

const nameOf = (line: string) => line.split(':', 1)[0];

function configurationText(
  engineer: string,
  target: Target,
  hostKey: string,
  options: PreparationOptions,
): string {
  const gatewayLines = [
    'listen: { host: 127.0.0.1, port: 0 }',
    'proxyId: gateway-1',
    'eventSource: ssh-proxy.example.com',
    `maxConnectionsPerSource: ${options.unlimitedStarts === true ? 100_000 : 1000}`,
    `maxStartsPerSourcePerMinute: ${options.unlimitedStarts === true ? 1_000_000 : 100_000}`,
    ...(options.gatewayConfiguration ?? []),
  ].filter((line, index, all) => all.findLastIndex((each) => nameOf(each) === nameOf(line)) === index);
  return `gateway:
${gatewayLines.map((line) => `  ${line}`).join('\n')}
identities:
  - name: engineer
    groups: [engineers]
    keys: [${JSON.stringify(engineer)}]
${options.identities ?? ''}
targets:
  - name: ${target.name}
    host: ${target.host}
    port: ${target.port}
    labels: { env: test }
    hostKeys: [${JSON.stringify(hostKey)}]
${options.targets ?? ''}
policies: { files: [policy.cedar] }
userAuthority: { keyFile: keys/user-ca.pem }
hostAuthority: { keyFile: keys/host-ca.pem }
hostKeys: { files: [${['keys/host-ed25519', ...(options.moreHostKeys ?? []).map((_key, index) => `keys/host-${index}`)].join(', ')}] }
${options.configuration ?? ''}
`;
}
