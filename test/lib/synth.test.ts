import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { synth } from './cdk-synth.ts';

/** The defaults themselves, with the functions bundled: bundles.test.ts. */
const stackNames = ['audit', 'control', 'proxy', 'response', 'lake', 'observability'];

describe('cdk synth without credentials and without a container engine', () => {
  it.each([
    ['lake-create', 'sshtrail', stackNames],
    ['lake-off', 'sshtrail', stackNames.filter((name) => name !== 'lake')],
    ['lake-existing', 'sshtrail', stackNames],
    ['existing-vpc', 'bastion', stackNames],
  ])('makes the stacks of %s', async (config, name, wanted) => {
    const { code, said, output } = await synth(
      temporaryFolder(),
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
