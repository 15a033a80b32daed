import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = join(import.meta.dirname, '..', '..');
const stackNames = ['audit', 'control', 'proxy', 'response', 'lake', 'observability'];

/** cdk as a user runs it, with no credentials, no container engine and no home. */
async function synth(...args: readonly string[]) {
  const folder = temporaryFolder();
  const programs = join(folder, 'bin');
  mkdirSync(programs);
  symlinkSync(process.execPath, join(programs, 'node'));
  for (const program of ['sh', 'bash', 'mkdir', 'cp', 'env', 'npx'])
    for (const path of [
      '/bin',
      '/usr/bin',
      dirname(process.execPath),
      ...(process.env['PATH'] ?? '').split(':'),
    ])
      if (existsSync(join(path, program)) && !existsSync(join(programs, program)))
        symlinkSync(join(path, program), join(programs, program));
  const output = join(folder, 'out');
  const child = spawn(join(root, 'node_modules', '.bin', 'cdk'), ['synth', '-q', '-o', output, ...args], {
    cwd: root,
    env: { PATH: programs, HOME: folder, CI: 'true', npm_config_cache: join(folder, 'npm') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, said: `${out}${err}`, output };
}

describe('cdk synth without credentials and without a container engine', () => {
  it('makes every stack of the defaults, with the functions bundled', async () => {
    const { code, said, output } = await synth();

    expect(code, said).toBe(0);
    for (const name of stackNames)
      expect(existsSync(join(output, `sshtrail-${name}.template.json`)), name).toBe(true);
    expect(said).not.toMatch(/docker|deprecated|\[Warning/i);
  });

  it.each([
    ['lake-create', 'sshtrail', stackNames],
    ['lake-off', 'sshtrail', stackNames.filter((name) => name !== 'lake')],
    ['lake-existing', 'sshtrail', stackNames],
    ['existing-vpc', 'bastion', stackNames],
  ])('makes the stacks of %s', async (config, name, wanted) => {
    const { code, said, output } = await synth(
      // Functions are bundled for the stacks that are named: those of the other test have them all.
      `${name}-audit`,
      '--exclusively',
      // That takes most of the time, and nag.test.ts has it for each of these configurations.
      '--no-validation',
      '-c',
      `config=test/lib/configs/${config}.ts`,
    );

    expect(code, said).toBe(0);
    const { artifacts } = JSON.parse(readFileSync(join(output, 'manifest.json'), 'utf8')) as {
      artifacts: Record<string, { type: string }>;
    };
    const stacks = Object.entries(artifacts).filter(([, { type }]) => type === 'aws:cloudformation:stack');
    expect(stacks.map(([id]) => id).sort()).toEqual(wanted.map((each) => `${name}-${each}`).sort());
  });
});
