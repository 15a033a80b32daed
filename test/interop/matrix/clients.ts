import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Finished, run } from '../../support/run.ts';

export const features = ['exec', 'shell', 'scp', 'scp -O', 'sftp', 'forward', '16 MiB each way'] as const;
export type Feature = (typeof features)[number];

/** What a client connects with. */
export type Access = {
  readonly port: number;
  /** `login@target`. */
  readonly user: string;
  readonly folder: string;
  /** A file of this folder on the target's side, which is this machine. */
  readonly sourceFile: string;
};

/** A stock client; a feature it has not is not among its tries, each of which throws where it fails. */
export type MatrixClient = {
  readonly name: string;
  readonly tries: Partial<Record<Feature, (access: Access) => Promise<void>>>;
};

export type Credentials = {
  /** OpenSSH's private key file. */
  readonly keyFile: string;
  /** The same for PuTTY and for Dropbear. */
  readonly puttyKeyFile: string;
  readonly dropbearKeyFile: string;
  readonly knownHosts: string;
  /** SHA256:... of the gateway's Ed25519 key. */
  readonly hostKeyFingerprint: string;
};

/** OpenSSH from a folder, or the system's. */
export function openSsh(name: string, programs: string | undefined, credentials: Credentials): MatrixClient {
  const ssh = programs === undefined ? 'ssh' : join(programs, 'ssh');
  const scp = programs === undefined ? 'scp' : join(programs, 'scp');
  const sftp = programs === undefined ? 'sftp' : join(programs, 'sftp');
  const options = (port: number) => openSshOptions(credentials, port);
  const destination = ({ user }: Access) => `${user}@127.0.0.1`;
  const copy = (legacy: boolean) => async (access: Access) => {
    const flags = [...options(access.port), '-q', '-S', ssh, ...(legacy ? ['-O'] : [])];
    const remote = `${destination(access)}:${access.folder}/up`;
    expectDone(await run(scp, [...flags, access.sourceFile, remote]));
    expectDone(await run(scp, [...flags, remote, `${access.folder}/down`]));
    expectSame(access.sourceFile, `${access.folder}/down`);
  };
  return {
    name,
    tries: {
      exec: (access) => execStatus(ssh, [...options(access.port), destination(access)]),
      shell: (access) => shell(ssh, [...options(access.port), '-tt', destination(access)]),
      scp: copy(false),
      'scp -O': copy(true),
      async sftp(access) {
        const batch = `put ${access.sourceFile} ${access.folder}/put\nrename ${access.folder}/put ${access.folder}/got\nget ${access.folder}/got ${access.folder}/back\n`;
        const flags = [...options(access.port), '-S', ssh, '-b', '-', destination(access)];
        expectDone(await run(sftp, flags, { stdin: batch }));
        expectSame(access.sourceFile, `${access.folder}/back`);
      },
      forward: (access) =>
        forward(access, (local, remote) => [
          ssh,
          [
            ...options(access.port),
            '-N',
            '-L',
            `127.0.0.1:${local}:127.0.0.1:${remote}`,
            destination(access),
          ],
        ]),
      '16 MiB each way': (access) => bothWays(ssh, [...options(access.port), destination(access)]),
    },
  };
}

export function openSshOptions(credentials: Credentials, port: number): readonly string[] {
  return ['-F', '/dev/null'].concat(
    [
      `Port=${port}`,
      `IdentityFile=${credentials.keyFile}`,
      'IdentitiesOnly=yes',
      `UserKnownHostsFile=${credentials.knownHosts}`,
      'HostKeyAlias=gateway',
      'StrictHostKeyChecking=yes',
      'BatchMode=yes',
    ].flatMap((option) => ['-o', option]),
  );
}

/** PuTTY's plink and psftp. */
export function putty(name: string, credentials: Credentials): MatrixClient {
  const options = ({ port, user }: Access) => puttyOptions(credentials, port, user);
  return {
    name,
    tries: {
      exec: (access) => execStatus('plink', [...options(access), '127.0.0.1'], puttyHome(access)),
      shell: (access) => shell('plink', ['-t', ...options(access), '127.0.0.1'], puttyHome(access)),
      async sftp(access) {
        const batch = join(access.folder, 'psftp.batch');
        writeFileSync(
          batch,
          `put ${access.sourceFile} ${access.folder}/put\nmv ${access.folder}/put ${access.folder}/got\nget ${access.folder}/got ${access.folder}/back\nquit\n`,
        );
        expectDone(await run('psftp', [...options(access), '-b', batch, '127.0.0.1'], puttyHome(access)));
        expectSame(access.sourceFile, `${access.folder}/back`);
      },
      forward: (access) =>
        forward(access, (local, remote) => [
          'plink',
          [...options(access), '-N', '-L', `127.0.0.1:${local}:127.0.0.1:${remote}`, '127.0.0.1'],
        ]),
      '16 MiB each way': (access) => bothWays('plink', [...options(access), '127.0.0.1'], puttyHome(access)),
    },
  };
}

export function puttyOptions(credentials: Credentials, port: number, user: string): readonly string[] {
  return [
    '-ssh',
    '-batch',
    '-noagent',
    '-P',
    `${port}`,
    '-l',
    user,
    '-i',
    credentials.puttyKeyFile,
    '-hostkey',
    credentials.hostKeyFingerprint,
  ];
}

/** Settings of its own, and none of whoever runs the test. */
export function puttyHome({ folder }: Pick<Access, 'folder'>): {
  readonly env: Readonly<Record<string, string>>;
} {
  const home = join(folder, 'putty-home');
  mkdirSync(home, { recursive: true });
  return { env: { HOME: home, XDG_CONFIG_HOME: home } };
}

export function dropbearClient(name: string, credentials: Credentials): MatrixClient {
  const options = ({ port, user }: Access) => dropbearOptions(credentials, port, user);
  return {
    name,
    tries: {
      exec: (access) => execStatus('dbclient', [...options(access), '127.0.0.1'], puttyHome(access)),
      shell: (access) => shell('dbclient', ['-t', ...options(access), '127.0.0.1'], puttyHome(access)),
      async 'scp -O'(access) {
        const wrapper = join(access.folder, 'dbclient-for-scp');
        // scp speaks to OpenSSH's own options; what Dropbear needs of them is known here.
        writeFileSync(
          wrapper,
          `#!/bin/sh\nwhile [ "$1" != -- ] && [ $# -gt 2 ]; do shift; done\n[ "$1" = -- ] && shift\nshift\nexec dbclient ${options(access).join(' ')} 127.0.0.1 "$@"\n`,
          { mode: 0o700 },
        );
        const remote = `any@127.0.0.1:${access.folder}/up`;
        expectDone(
          await run('scp', ['-O', '-q', '-S', wrapper, access.sourceFile, remote], puttyHome(access)),
        );
        expectSame(access.sourceFile, `${access.folder}/up`);
      },
      forward: (access) =>
        forward(access, (local, remote) => [
          'dbclient',
          [...options(access), '-N', '-L', `127.0.0.1:${local}:127.0.0.1:${remote}`, '127.0.0.1'],
        ]),
      '16 MiB each way': (access) =>
        bothWays('dbclient', [...options(access), '127.0.0.1'], puttyHome(access)),
    },
  };
}

export function dropbearOptions(credentials: Credentials, port: number, user: string): readonly string[] {
  return ['-y', '-y', '-T', '-p', `${port}`, '-l', user, '-i', credentials.dropbearKeyFile];
}

/** curl, which has libssh2 inside. */
export function libssh2(name: string, credentials: Credentials): MatrixClient {
  const transfer = (scheme: 'sftp' | 'scp') => async (access: Access) => {
    const url = `${scheme}://127.0.0.1:${access.port}${access.folder}/up`;
    const flags = [
      '-s',
      '-S',
      '--insecure',
      '--user',
      `${access.user}:`,
      '--key',
      credentials.keyFile,
      '--pubkey',
      `${credentials.keyFile}.pub`,
    ];
    expectDone(await run('curl', [...flags, '-T', access.sourceFile, url]));
    expectDone(await run('curl', [...flags, '-o', `${access.folder}/down`, url]));
    expectSame(access.sourceFile, `${access.folder}/down`);
  };
  return { name, tries: { sftp: transfer('sftp'), 'scp -O': transfer('scp') } };
}

type Environment = { readonly env?: Readonly<Record<string, string>> };

async function execStatus(
  program: string,
  args: readonly string[],
  options: Environment = {},
): Promise<void> {
  const finished = await run(program, [...args, 'echo out; echo err >&2; exit 7'], options);
  if (finished.code !== 7 || finished.stdout.toString() !== 'out\n' || !finished.stderr.includes('err'))
    throw new Error(`exec: ${finished.code} ${finished.stdout.toString()} ${finished.stderr}`);
}

async function shell(program: string, args: readonly string[], options: Environment = {}): Promise<void> {
  const finished = await run(program, args, {
    ...options,
    stdin: 'stty -a | head -1; echo typed-$((40+2))\nexit 3\n',
  });
  if (finished.code !== 3 || !finished.stdout.toString().includes('typed-42'))
    throw new Error(`shell: ${finished.code} ${finished.stdout.toString()} ${finished.stderr}`);
}

/** New keys come every 4 MiB, on both sides of the gateway. */
async function bothWays(program: string, args: readonly string[], options: Environment = {}): Promise<void> {
  const bytes = Buffer.alloc(16 << 20, 0x5a);
  const finished = await run(program, [...args, 'cat'], { ...options, stdin: bytes, timeoutMs: 60_000 });
  if (finished.code !== 0 || hash(finished.stdout) !== hash(bytes))
    throw new Error(`cat: ${finished.code}, ${finished.stdout.length} bytes came back; ${finished.stderr}`);
}

async function forward(
  access: Access,
  command: (local: number, remote: number) => readonly [string, readonly string[]],
): Promise<void> {
  const server = createServer((socket) => socket.end('through the tunnel'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const local = await freePort();
  const [program, args] = command(local, (server.address() as AddressInfo).port);
  const child = spawn(program, args, {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...process.env, ...puttyHome(access).env },
  });
  const errors = text(child.stderr);
  try {
    for (let tries = 0; ; tries += 1) {
      const said = await text(connect(local, '127.0.0.1')).catch(() => '');
      if (said === 'through the tunnel') return;
      if (tries > 100 || child.exitCode !== null) throw new Error(`forward: nothing came through: ${said}`);
      await sleep(50);
    }
  } finally {
    child.kill('SIGTERM');
    await errors;
    server.close();
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function expectDone(finished: Finished): void {
  if (finished.code !== 0)
    throw new Error(`exit ${finished.code}: ${finished.stdout.toString()} ${finished.stderr}`);
}

function expectSame(one: string, other: string): void {
  if (hash(readFileSync(one)) !== hash(readFileSync(other))) throw new Error(`${other} differs from ${one}`);
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
