import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashOfFile, pseudoRandomFile } from '../support/pseudo-random-file.ts';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const gibibyte = 1_073_741_824;
/** One way with the cipher that the client chooses by itself, ChaCha20-Poly1305, the other with the faster one that many configure. */
const aesCipher = ['-o', 'Ciphers=aes128-gcm@openssh.com'];
let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ sshdConfiguration: ['RekeyLimit 256M'] });
});

afterAll(async () => {
  await stack.close();
});

describe('files through the gateway', () => {
  test('scp copies both ways, over SFTP and with the legacy protocol', async () => {
    const folder = temporaryFolder();
    const source = join(folder, 'source');
    writeFileSync(source, pseudoRandom(3_000_000));

    for (const flags of [[], ['-O']]) {
      const up = await run('scp', [
        ...stack.sshOptions,
        ...flags,
        '-q',
        source,
        `${stack.destination()}:${folder}/up`,
      ]);
      const down = await run('scp', [
        ...stack.sshOptions,
        ...flags,
        '-q',
        `${stack.destination()}:${folder}/up`,
        `${folder}/down`,
      ]);

      expect([up.code, down.code], up.stderr + down.stderr).toEqual([0, 0]);
      expect(readFileSync(join(folder, 'down')).equals(readFileSync(source))).toBe(true);
    }
  });

  test('sftp puts, lists, renames, gets and removes', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'source'), pseudoRandom(500_000));
    const batch = [
      `put ${folder}/source ${folder}/put`,
      `rename ${folder}/put ${folder}/renamed`,
      `ls -l ${folder}`,
      `get ${folder}/renamed ${folder}/got`,
      `rm ${folder}/renamed`,
    ];

    const finished = await run('sftp', [...stack.sshOptions, '-b', '-', stack.destination()], {
      stdin: `${batch.join('\n')}\n`,
    });

    expect(finished.code, finished.stderr).toBe(0);
    expect(finished.stdout.toString()).toContain('renamed');
    expect(readFileSync(join(folder, 'got')).equals(readFileSync(join(folder, 'source')))).toBe(true);
  });

  test('rsync mirrors a tree both ways', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'tree', 'below'), { recursive: true });
    writeFileSync(join(folder, 'tree', 'a'), 'a');
    writeFileSync(join(folder, 'tree', 'below', 'b'), pseudoRandom(200_000));
    const shell = ['ssh', ...stack.sshOptions].join(' ');

    const up = await run('rsync', [
      '-a',
      '-e',
      shell,
      `${folder}/tree/`,
      `${stack.destination()}:${folder}/up/`,
    ]);
    const down = await run('rsync', [
      '-a',
      '-e',
      shell,
      `${stack.destination()}:${folder}/up/`,
      `${folder}/down/`,
    ]);

    expect([up.code, down.code], up.stderr + down.stderr).toEqual([0, 0]);
    expect(
      readFileSync(join(folder, 'down', 'below', 'b')).equals(
        readFileSync(join(folder, 'tree', 'below', 'b')),
      ),
    ).toBe(true);
  });

  test('git clones, commits and pushes', async () => {
    const folder = temporaryFolder();
    const env = {
      GIT_SSH_COMMAND: ['ssh', ...stack.sshOptions].join(' '),
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@example.com',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@example.com',
      GIT_CONFIG_GLOBAL: '/dev/null',
    };
    const git = (...args: string[]) => run('git', args, { env, cwd: folder });
    await git('init', '-q', '--bare', '-b', 'main', 'origin.git');

    const cloned = await git('clone', '-q', `${stack.destination()}:${folder}/origin.git`, 'clone');
    writeFileSync(join(folder, 'clone', 'file'), pseudoRandom(100_000));
    await git('-C', 'clone', 'checkout', '-q', '-b', 'main');
    await git('-C', 'clone', 'add', 'file');
    await git('-C', 'clone', 'commit', '-q', '-m', 'add a file');
    const pushed = await git('-C', 'clone', 'push', '-q', 'origin', 'main');
    const again = await git('clone', '-q', `${stack.destination()}:${folder}/origin.git`, 'again');

    expect([cloned.code, pushed.code, again.code], cloned.stderr + pushed.stderr + again.stderr).toEqual([
      0, 0, 0,
    ]);
    expect(
      readFileSync(join(folder, 'again', 'file')).equals(readFileSync(join(folder, 'clone', 'file'))),
    ).toBe(true);
  });

  test('a gibibyte arrives whole, up and down', { timeout: 180_000 }, async () => {
    const folder = temporaryFolder();
    const source = join(folder, 'source');
    const expected = await pseudoRandomFile(source, gibibyte);

    const up = await stack.sshWithFiles([`cat > ${folder}/up`], { stdinFile: source });
    const down = await stack.sshWithFiles([...aesCipher, `cat ${folder}/up`], {
      stdoutFile: join(folder, 'down'),
    });

    expect([up, down]).toEqual([0, 0]);
    expect(await hashOfFile(join(folder, 'up'))).toBe(expected);
    expect(await hashOfFile(join(folder, 'down'))).toBe(expected);
  });
});

describe('with a key exchange after every megabyte on both ends', () => {
  // Hundreds of exchanges: what ssh takes by default costs it tens of milliseconds each.
  const quickExchange = ['KexAlgorithms', 'curve25519-sha256'];
  let rekeying: Stack;

  beforeAll(async () => {
    rekeying = await startStack({ sshdConfiguration: ['RekeyLimit 1M', quickExchange.join(' ')] });
  });

  afterAll(async () => {
    await rekeying.close();
  });

  test('two hundred megabytes arrive whole, up, down and both ways at once', {
    timeout: 180_000,
  }, async () => {
    const folder = temporaryFolder();
    const source = join(folder, 'source');
    const expected = await pseudoRandomFile(source, 200_000_000);
    const limit = ['-o', 'RekeyLimit=1M', '-o', quickExchange.join('=')];

    const up = await rekeying.sshWithFiles([...limit, `cat > ${folder}/up`], { stdinFile: source });
    const down = await rekeying.sshWithFiles([...limit, ...aesCipher, `cat ${folder}/up`], {
      stdoutFile: join(folder, 'down'),
    });
    const both = await rekeying.sshWithFiles([...limit, ...aesCipher, 'cat'], {
      stdinFile: source,
      stdoutFile: join(folder, 'both'),
    });

    expect([up, down, both]).toEqual([0, 0, 0]);
    for (const name of ['up', 'down', 'both'])
      expect(await hashOfFile(join(folder, name)), name).toBe(expected);
  });
});

/** Deterministic bytes that do not compress. */
function pseudoRandom(length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let counter = 0; counter * 32 < length; counter += 1)
    blocks.push(createHash('sha256').update(String(counter)).digest());
  return Buffer.concat(blocks).subarray(0, length);
}
