import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFileSigner } from '#adapters/local';
import type { Target } from '#core/contract';
import {
  algorithmProfiles,
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  type PrivateKey,
  remoteSigner,
  targetAlgorithms,
} from '#ssh';
import { type RunningGateway, runGateway } from '../../../cli/gateway-run.ts';
import { loadInstallation } from '../../../cli/installation.ts';
import { type PreparedGateway, prepareGateway } from '../../support/prepared-gateway.ts';
import { pseudoRandomFile } from '../../support/pseudo-random-file.ts';
import { run } from '../../support/run.ts';
import {
  type Credentials,
  dropbearClient,
  dropbearOptions,
  type Feature,
  features,
  libssh2,
  type MatrixClient,
  openSsh,
  openSshOptions,
  putty,
  puttyHome,
  puttyOptions,
} from './clients.ts';
import { interopPage } from './page.ts';
import {
  canStartDropbear,
  type MatrixServer,
  type SshdProgram,
  startDropbear,
  startSshd,
  unpackedSshd,
} from './servers.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const page = join(root, 'docs', 'interop.md');
const openSsh10 = join(root, '.cache', 'openssh-10', 'unpacked');
const has10 = existsSync(openSsh10);
const hasDropbear = canStartDropbear();

const own = await versionOf('ssh', ['-V'], /OpenSSH_([\d.]+)/);
const versions = {
  own: `OpenSSH ${own}`,
  newer: 'OpenSSH 10.0',
  putty: `PuTTY ${await versionOf('plink', ['-V'], /Release ([\d.]+)/)}`,
  dropbear: `Dropbear ${await versionOf('dbclient', ['-V'], /v([\d.]+)/)}`,
  libssh2: `libssh2 ${await versionOf('curl', ['--version'], /libssh2\/([\d.]+)/)}`,
};
const programsOf: Readonly<Record<string, string | undefined>> = {
  [versions.own]: undefined,
  ...(has10 ? { [versions.newer]: join(openSsh10, 'usr', 'bin') } : {}),
};
const sshdOf: Readonly<Record<string, SshdProgram>> = {
  [versions.own]: { lines: [] },
  ...(has10 ? { [versions.newer]: unpackedSshd(openSsh10) } : {}),
};

const { transport: offered } = algorithmProfiles.compatible;
const hostKeys = {
  'ssh-ed25519': generatePrivateKey('ed25519'),
  'ecdsa-sha2-nistp256': generatePrivateKey('ecdsa-p256'),
  'ecdsa-sha2-nistp384': generatePrivateKey('ecdsa-p384'),
  'ecdsa-sha2-nistp521': generatePrivateKey('ecdsa-p521'),
  'rsa-sha2-512': generatePrivateKey('rsa-3072'),
};
const dropbearKey = generatePrivateKey('ed25519');
const folder = mkdtempSync(join(tmpdir(), 'sshtrail-matrix-'));

/** Of each kind, what both sides may be told to use. */
const algorithmNames = [
  ...targetAlgorithms.keyExchange.map((name) => ({ kind: 'key exchange', name })),
  ...targetAlgorithms.hostKey
    .filter((name) => !name.includes('-cert-'))
    .map((name) => ({ kind: 'host key', name })),
  ...targetAlgorithms.cipher.map((name) => ({ kind: 'cipher', name })),
  ...targetAlgorithms.mac.map((name) => ({ kind: 'MAC', name })),
];

const offeredNames = new Set(Object.values(offered).flat());
const serverNames = [...Object.keys(sshdOf), ...(hasDropbear ? [versions.dropbear] : [])];
const started: MatrixServer[] = [];
const pairs = new Map<string, Set<Feature>>();
const algorithms = new Map<string, Set<string>>();
const profiles = new Map<string, ReadonlySet<string>>();
let prepared: PreparedGateway;
let running: RunningGateway;
let credentials: Credentials;
let sourceFile: string;

beforeAll(async () => {
  const dropbear = hasDropbear ? await startDropbear(subfolder('dropbear'), dropbearKey) : undefined;
  if (dropbear !== undefined) started.push(dropbear);
  prepared = await prepareGateway({
    gatewayConfiguration: ['algorithms: compatible', 'rekeyBytes: 4194304'],
    moreHostKeys: Object.values(hostKeys).slice(1),
    gatewayKey: hostKeys['ssh-ed25519'],
    ...(dropbear === undefined ? {} : { targets: dropbearTarget(dropbear) }),
  });
  const authority = formatPublicKeyLine(
    remoteSigner(await openFileSigner(prepared.data.userAuthorityKey)).publicKey,
  );
  const targets: Target[] = [];
  const add = async (name: string, sshd: SshdProgram, lines: readonly string[], hostKey?: PrivateKey) => {
    const server = await startSshd(subfolder(name), authority, sshd, lines, hostKey);
    started.push(server);
    targets.push({
      name,
      host: '127.0.0.1',
      port: server.port,
      labels: {},
      hostTrust: { kind: 'pinned', keys: [server.hostKeyLine] },
    });
  };
  for (const [version, sshd] of Object.entries(sshdOf)) {
    await add(targetOf(version), sshd, []);
    for (const { kind, name } of await serverAlgorithms(version))
      await add(targetOf(version, name), sshd, sshdLines(kind, name), hostKeyFor(name));
  }
  running = await runGateway({
    data: prepared.data,
    installation: await loadInstallation(prepared.data),
    extraTargets: targets,
    listen: { host: '127.0.0.1', port: 0 },
    now: Date.now,
    report: () => undefined,
  });
  credentials = await prepareCredentials();
  sourceFile = join(folder, 'source');
  await pseudoRandomFile(sourceFile, 300_000);
}, 120_000);

afterAll(async () => {
  await running.close('the test has ended');
  await Promise.all(started.map((server) => server.stop()));
  await prepared.remove();
  rmSync(folder, { recursive: true, force: true });
});

const clientNames = [...Object.keys(programsOf), versions.putty, versions.dropbear, versions.libssh2];

describe.each(serverNames)('to %s', (server) => {
  test.concurrent.each(clientNames)(
    '%s does everything it can',
    async (clientName) => {
      const client = clientNamed(clientName);
      const worked = new Set<Feature>();
      pairs.set(`${clientName} / ${server}`, worked);
      for (const feature of features) {
        const attempt = client.tries[feature];
        if (attempt === undefined) continue;
        const access = {
          port: running.gateway.address.port,
          user: `${prepared.login}@${targetOf(server)}`,
          folder: subfolder(`${targetOf(server)}-${clientName}-${feature}`.replaceAll(/\W+/g, '-')),
          sourceFile,
        };
        await attempt(access);
        worked.add(feature);
      }
      expect([...worked]).toEqual(features.filter((feature) => client.tries[feature] !== undefined));
    },
    120_000,
  );
});

describe('every algorithm', () => {
  test.concurrent.each(Object.keys(programsOf))(
    'that the client %s has, works',
    async (version) => {
      const ssh = sshOf(version);
      const works = new Set<string>();
      algorithms.set(version, works);
      const known = await queried(ssh);
      for (const { kind, name } of algorithmNames) {
        if (!known.has(name) || !offeredNames.has(name)) continue;
        const finished = await run(ssh, [
          ...openSshOptions(credentials, running.gateway.address.port),
          ...forced(kind, name).flatMap((option) => ['-o', option]),
          `${prepared.login}@${targetOf(versions.own)}@127.0.0.1`,
          'echo works',
        ]);
        expect(finished.stdout.toString(), `${name}: ${finished.stderr}`).toBe('works\n');
        works.add(name);
      }
      expect(works.size).toBeGreaterThan(15);
    },
    120_000,
  );

  test.concurrent.each(Object.keys(sshdOf))(
    'that the server of %s has, works',
    async (version) => {
      const works = new Set<string>();
      algorithms.set(`${version} sshd`, works);
      for (const { name } of await serverAlgorithms(version)) {
        const finished = await run('ssh', [
          ...openSshOptions(credentials, running.gateway.address.port),
          `${prepared.login}@${targetOf(version, name)}@127.0.0.1`,
          'echo works',
        ]);
        expect(finished.stdout.toString(), `${name}: ${finished.stderr}`).toBe('works\n');
        works.add(name);
      }
      expect(works.size).toBeGreaterThan(15);
    },
    120_000,
  );

  test.concurrent('that Dropbear can be told to use, works', async () => {
    const works = new Set<string>();
    algorithms.set(versions.dropbear, works);
    const user = `${prepared.login}@${targetOf(versions.own)}`;
    const options = dropbearOptions(credentials, running.gateway.address.port, user);
    const home = puttyHome({ folder: subfolder('dropbear-algorithms') });
    for (const [name, flags] of [
      ['chacha20-poly1305@openssh.com', ['-c', 'chacha20-poly1305@openssh.com']],
      ['aes256-ctr', ['-c', 'aes256-ctr']],
      ['aes128-ctr', ['-c', 'aes128-ctr']],
      ['hmac-sha2-256', ['-c', 'aes128-ctr', '-m', 'hmac-sha2-256']],
    ] as const) {
      const finished = await run('dbclient', [...options, ...flags, '127.0.0.1', 'echo works'], home);
      expect(finished.stdout.toString(), `${name}: ${finished.stderr}`).toBe('works\n');
      works.add(name);
    }
  }, 60_000);

  test.concurrent('that PuTTY can be told to use, works', async () => {
    const works = new Set<string>();
    algorithms.set(versions.putty, works);
    const user = `${prepared.login}@${targetOf(versions.own)}`;
    const options = puttyOptions(credentials, running.gateway.address.port, user);
    for (const [name, settings, said] of puttyChoices) {
      const home = puttyHome({ folder: subfolder(`putty-${name.replaceAll(/\W+/g, '-')}`) });
      const sessions = subfolder(`putty-sessions-${name.replaceAll(/\W+/g, '-')}`);
      writeFileSync(join(sessions, 'forced'), `Protocol=ssh\n${settings}\n`);
      const environment = { env: { ...home.env, PUTTYSESSIONS: sessions } };
      const finished = await run(
        'plink',
        ['-v', '-load', 'forced', ...options, '127.0.0.1', 'echo works'],
        environment,
      );
      expect(finished.stdout.toString(), `${name}: ${finished.stderr}`).toBe('works\n');
      expect(finished.stderr).toMatch(said);
      works.add(name);
    }
  }, 60_000);
});

describe.each(['modern', 'fips'] as const)('with the profile %s', (profile) => {
  test('clients get in who have what it asks for, and the others are told that nothing is common', async () => {
    const other = await prepareGateway({
      gatewayConfiguration: [`algorithms: ${profile}`],
      // FIPS 186-5 has Ed25519, the profile has not: OpenSSH's own FIPS builds leave it out.
      engineerKeyType: profile === 'fips' ? 'ecdsa-p256' : 'ed25519',
      moreHostKeys: Object.values(hostKeys).slice(1),
      gatewayKey: hostKeys['ssh-ed25519'],
    });
    const gateway = await runGateway({
      data: other.data,
      installation: await loadInstallation(other.data),
      extraTargets: [],
      listen: { host: '127.0.0.1', port: 0 },
      now: Date.now,
      report: () => undefined,
    });
    try {
      const able = new Set<string>();
      for (const name of clientNames) {
        const { tries } = clientNamed(name, {
          ...credentials,
          keyFile: other.engineerFile,
          ...(await convertedKeys(other, profile)),
          hostKeyFingerprint:
            hostKeys[profile === 'fips' ? 'ecdsa-sha2-nistp256' : 'ssh-ed25519'].publicKey.fingerprint,
        });
        const attempt = tries.exec ?? tries.sftp;
        const access = {
          port: gateway.gateway.address.port,
          user: `${other.login}@web-1`,
          folder: subfolder(`${profile}-${name}`.replaceAll(/\W+/g, '-')),
          sourceFile,
        };
        const complaint = await attempt?.(access).then(
          () => undefined,
          (error: unknown) => String(error),
        );
        if (complaint === undefined) able.add(name);
        else expect(complaint).toMatch(noneInCommon);
      }
      profiles.set(profile, able);
      expect(able.has(versions.own)).toBe(true);
    } finally {
      await gateway.close('the test has ended');
      await other.remove();
    }
  }, 60_000);
});

/** How each client says it. */
const noneInCommon =
  /no matching|Couldn't agree|No matching algo|Unable to exchange encryption keys|no [a-zA-Z ]+ in common|Failure establishing ssh session/i;

test('the page tells what ran', () => {
  const text = interopPage({
    clients: clientNames,
    servers: serverNames,
    pairs,
    profiles,
    algorithms: new Map([...algorithms].sort(([a], [b]) => (a < b ? -1 : 1))),
    algorithmNames,
  });
  if (process.env['UPDATE_INTEROP_PAGE'] === '1') writeFileSync(page, text);
  // Elsewhere there are other versions, and not all of them.
  const isReference = has10 && hasDropbear && own === '9.2';
  if (isReference) expect(readFileSync(page, 'utf8')).toBe(text);
  else expect(text).toContain(versions.own);
});

/**
 * plink's saved sessions know families; what was chosen of them stands in its log. What a list leaves out is put where PuTTY likes it, so all are named:
 * those behind WARN are refused by -batch.
 */
const puttyChoices: readonly (readonly [string, string, RegExp])[] = [
  ['curve25519-sha256', puttyOnly('KEX', 'ecdh'), /Curve25519/],
  ['diffie-hellman-group16-sha512', puttyOnly('KEX', 'dh-group16-sha512'), /group16|group 16/],
  ['diffie-hellman-group14-sha256', puttyOnly('KEX', 'dh-group14-sha1'), /group14|group 14/],
  ['ssh-ed25519', puttyOnly('HostKey', 'ed25519'), /ssh-ed25519/],
  ['aes128-gcm@openssh.com', puttyOnly('Cipher', 'aesgcm'), /AES-128 GCM/],
  ['chacha20-poly1305@openssh.com', puttyOnly('Cipher', 'chacha20'), /ChaCha20/],
  ['aes256-ctr', puttyOnly('Cipher', 'aes'), /AES-256 SDCTR/],
];

function puttyOnly(list: 'KEX' | 'HostKey' | 'Cipher', name: string): string {
  const all = {
    KEX: 'ecdh ntru-curve25519 dh-group18-sha512 dh-group17-sha512 dh-group16-sha512 dh-group15-sha512 dh-group14-sha1 dh-gex-sha1 dh-group1-sha1 rsa',
    HostKey: 'ed25519 ed448 ecdsa rsa dsa',
    Cipher: 'aesgcm chacha20 aes 3des des blowfish arcfour',
  }[list].split(' ');
  return `${list}=${[name, 'WARN', ...all.filter((each) => each !== name)].join(',')}`;
}

function targetOf(version: string, algorithm = ''): string {
  return `${version} ${algorithm}`
    .toLowerCase()
    .trim()
    .replaceAll(/[^a-z0-9]+/g, '-');
}

function clientNamed(name: string, own: Credentials = credentials): MatrixClient {
  if (name === versions.putty) return putty(name, own);
  if (name === versions.dropbear) return dropbearClient(name, own);
  if (name === versions.libssh2) return libssh2(name, own);
  return openSsh(name, programsOf[name], own);
}

function sshOf(version: string): string {
  const programs = programsOf[version];
  return programs === undefined ? 'ssh' : join(programs, 'ssh');
}

/** Everything `ssh -Q` lists. */
async function queried(ssh: string): Promise<ReadonlySet<string>> {
  const lists = await Promise.all(
    ['kex', 'cipher', 'mac', 'HostKeyAlgorithms'].map(async (what) =>
      (await run(ssh, ['-Q', what])).stdout.toString().split('\n'),
    ),
  );
  return new Set(lists.flat());
}

/** Client and server of one version are built from the same tables. */
async function serverAlgorithms(version: string) {
  const known = await queried(sshOf(version));
  return algorithmNames.filter(({ name }) => known.has(name));
}

function forced(kind: string, name: string): readonly string[] {
  switch (kind) {
    case 'key exchange':
      return [`KexAlgorithms=${name}`];
    case 'host key':
      return [`HostKeyAlgorithms=${name}`];
    case 'cipher':
      return [`Ciphers=${name}`];
    default:
      return ['Ciphers=aes128-ctr', `MACs=${name}`];
  }
}

function sshdLines(kind: string, name: string): readonly string[] {
  return forced(kind, name).map((option) => option.replace('=', ' '));
}

function hostKeyFor(name: string): PrivateKey | undefined {
  return Object.entries(hostKeys).find(
    ([algorithm]) => algorithm === name || (name === 'rsa-sha2-256' && algorithm === 'rsa-sha2-512'),
  )?.[1];
}

function dropbearTarget({ port, hostKeyLine }: MatrixServer): string {
  const keyFile = join(folder, 'dropbear_target_key');
  writeFileSync(keyFile, formatPrivateKey(dropbearKey, 'gateway'), { mode: 0o600 });
  return `  - name: ${targetOf(versions.dropbear)}
    host: 127.0.0.1
    port: ${port}
    hostKeys: [${JSON.stringify(hostKeyLine)}]
    credential: { keyFile: ${keyFile} }`;
}

async function prepareCredentials(): Promise<Credentials> {
  return {
    keyFile: prepared.engineerFile,
    ...(await convertedKeys(prepared, 'compatible')),
    hostKeyFingerprint: hostKeys['ssh-ed25519'].publicKey.fingerprint,
  };
}

/** The engineer's key as each client wants it. */
async function convertedKeys(
  { engineerFile, engineerKey, folder: its }: PreparedGateway,
  name: string,
): Promise<Pick<Credentials, 'puttyKeyFile' | 'dropbearKeyFile' | 'knownHosts'>> {
  writeFileSync(`${engineerFile}.pub`, `${formatPublicKeyLine(engineerKey.publicKey)}\n`);
  const puttyKeyFile = join(folder, `${name}.ppk`);
  const dropbearKeyFile = join(folder, `${name}.dropbear`);
  for (const finished of [
    await run('puttygen', [engineerFile, '-O', 'private', '-o', puttyKeyFile]),
    await run('dropbearconvert', ['openssh', 'dropbear', engineerFile, dropbearKeyFile]),
  ])
    expect(finished.code, finished.stderr).toBe(0);
  return { puttyKeyFile, dropbearKeyFile, knownHosts: join(its, 'known_hosts') };
}

function subfolder(name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  return path;
}

async function versionOf(program: string, args: readonly string[], pattern: RegExp): Promise<string> {
  const finished = await run(program, args);
  return pattern.exec(finished.stdout.toString() + finished.stderr)?.[1] ?? 'of unknown version';
}
