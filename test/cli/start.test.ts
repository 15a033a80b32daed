import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { sshtrailProgram } from '../support/command-line.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = join(import.meta.dirname, '..', '..');
const { program, first, env } = sshtrailProgram;

/** The rooms and packages of what a run loads, each once. */
async function loadedBy(args: readonly string[]) {
  const preloaded = join(root, 'test', 'support', 'loaded-modules-process.ts');
  const child = spawn(program, ['--import', preloaded, ...first, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const listed = child.stdio[3];
  if (!(listed instanceof Readable)) throw new Error('the process has no file 3');
  const urls = (await text(listed)).trim().split('\n');
  const files = urls
    .filter((url) => url.startsWith('file:'))
    .map((url) => url.slice(`file://${root}/`.length));
  return new Set(
    files.map((file) =>
      file
        .split('/')
        .slice(0, file.startsWith('node_modules/') ? 2 : 1)
        .join('/'),
    ),
  );
}

describe('what a command loads', () => {
  test.each([
    [['--version']],
    [['--help']],
    [['play', '--help']],
    [['runbook', 'run', '--help']],
    [['last', '-n', 'x']],
  ])('is the declaration of the commands alone for %j', async (args) => {
    const loaded = await loadedBy(args);

    expect([...loaded].sort()).toEqual(['bin', 'cli', 'node_modules/commander', 'package.json']);
  });

  test('is more where it is run', async () => {
    const loaded = await loadedBy(['totp', 'new', 'alice']);

    expect([...loaded]).toContain('core');
  });
});

describe('compiled code is kept beside the packages', () => {
  /** As outside of the tests, which say where to. */
  const own = { ...env, NODE_COMPILE_CACHE: '' };

  /** The entry in a folder of its own, whose packages are those of the checkout. */
  function installation(): string {
    const folder = temporaryFolder();
    for (const name of ['bin', 'cli', 'core', 'ssh', 'adapters', 'proxy-task', 'package.json'])
      cpSync(join(root, name), join(folder, name), { recursive: true });
    mkdirSync(join(folder, 'node_modules'));
    for (const name of readdirSync(join(root, 'node_modules')).filter((each) => !each.startsWith('.')))
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    return folder;
  }

  test('once a command has run', async () => {
    const folder = installation();

    const { code } = await run(program, [join(folder, 'bin', 'sshtrail.ts'), '--version'], { env: own });

    expect(code).toBe(0);
    expect(readdirSync(join(folder, 'node_modules', '.cache', 'sshtrail'))).toHaveLength(1);
  });

  test('and a command runs as well where it cannot be kept', async () => {
    const folder = installation();
    symlinkSync('/proc/nothing', join(folder, 'node_modules', '.cache'));

    const { code, stdout, stderr } = await run(program, [join(folder, 'bin', 'sshtrail.ts'), '--version'], {
      env: own,
    });

    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(stderr).toBe('');
  });
});
