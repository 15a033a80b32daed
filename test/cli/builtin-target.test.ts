import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  formatKnownHostsLine,
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  mintCertificate,
  type PrivateKey,
  userExtensions,
} from '#ssh';
import { type BuiltinTarget, startBuiltinTarget } from '../../cli/playground/builtin-target.ts';
import { formatCertificateLine } from '../../ssh/certificate/index.ts';
import { privateKeyAsRemoteSigner } from '../../ssh/keys/index.ts';
import { type Finished, type RunOptions, run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const authority = generatePrivateKey('ed25519');
const hostKey = generatePrivateKey('ed25519');
const login = userInfo().username;
let target: BuiltinTarget;

beforeAll(async () => {
  target = await startBuiltinTarget({ authority: formatPublicKeyLine(authority.publicKey), hostKey, login });
});

afterAll(async () => {
  await target.stop();
});

describe("the playground's built-in server", () => {
  test('runs a command for a certificate of its authority', async () => {
    const finished = await ssh(authority, login, ['echo out; echo err >&2; exit 5']);

    expect([finished.stdout.toString(), finished.code]).toEqual(['out\n', 5]);
    expect(finished.stderr).toContain('err');
  });

  test('gives a shell on a terminal of the size that was asked for', async () => {
    const finished = await ssh(authority, login, ['-tt'], {
      stdin: 'stty size; echo typed-$((40+2)); exit\n',
    });

    expect(finished.stdout.toString()).toContain('typed-42');
    expect(finished.stdout.toString()).toMatch(/\d+ \d+/);
  });

  test('hands standard input to the command, to its end', async () => {
    const finished = await ssh(authority, login, ['wc -c'], { stdin: 'x'.repeat(100_000) });

    expect(finished.stdout.toString().trim()).toBe('100000');
  });

  test('lets nobody in with a certificate of another authority, for another account or without one', async () => {
    const otherAuthority = await ssh(generatePrivateKey('ed25519'), login, ['true']);
    const otherAccount = await ssh(authority, 'somebody-else', ['true']);

    expect([otherAuthority.code, otherAccount.code]).toEqual([255, 255]);
    expect(otherAuthority.stderr).toContain('Permission denied');
  });

  test('forwards nothing', async () => {
    const finished = await ssh(authority, login, ['-W', '127.0.0.1:1']);

    expect(finished.code).toBe(255);
    expect(finished.stderr).toContain('the playground forwards nothing');
  });
});

async function ssh(
  signer: PrivateKey,
  user: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const folder = temporaryFolder();
  const key = generatePrivateKey('ed25519');
  const seconds = BigInt(Math.floor(Date.now() / 1000));
  const certificate = await mintCertificate(
    {
      kind: 'user',
      publicKey: key.publicKey,
      keyId: 'test',
      serial: 1n,
      principals: [user],
      validAfter: seconds - 60n,
      validBefore: seconds + 60n,
      extensions: userExtensions,
      nonce: Buffer.alloc(32, 1),
    },
    privateKeyAsRemoteSigner(signer),
  );
  const file = join(folder, 'id');
  writeFileSync(file, formatPrivateKey(key, 'test'), { mode: 0o600 });
  writeFileSync(`${file}-cert.pub`, `${formatCertificateLine(certificate)}\n`);
  writeFileSync(
    join(folder, 'known_hosts'),
    `${formatKnownHostsLine({ patterns: ['target'], publicKey: hostKey.publicKey })}\n`,
  );
  const flags = args.filter((arg) => arg.startsWith('-') || arg.startsWith('127.'));
  const command = args.filter((arg) => !flags.includes(arg));
  return run(
    'ssh',
    [
      '-F',
      '/dev/null',
      '-p',
      String(target.port),
      '-i',
      file,
      '-o',
      'IdentitiesOnly=yes',
      '-o',
      'HostKeyAlias=target',
      '-o',
      `UserKnownHostsFile=${join(folder, 'known_hosts')}`,
      '-o',
      'StrictHostKeyChecking=yes',
      '-o',
      'BatchMode=yes',
      ...flags,
      `${user}@127.0.0.1`,
      ...command,
    ],
    options,
  );
}
