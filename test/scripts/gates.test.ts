import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gates, runGate } from '../../scripts/gates.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = join(import.meta.dirname, '..', '..');

/** By gate: a file that it must refuse, and a word of what it then says. */
const violations: Readonly<
  Record<string, { readonly file: string; readonly text: string; readonly says: string }>
> = {
  'types (tsc)': {
    file: 'core/planted/index.ts',
    text: "export const planted: number = 'text';\n",
    says: 'TS2322',
  },
  'format and import order (biome)': {
    file: 'core/planted/index.ts',
    text: 'export const   planted = 1\n',
    says: 'core/planted/index.ts',
  },
  'lint (oxlint, type-aware)': {
    file: 'core/planted/index.ts',
    text: 'export async function planted(): Promise<void> {}\nexport function forgets(): void {\n  planted();\n}\n',
    says: 'no-floating-promises',
  },
  'dead code (knip)': { file: 'core/planted/index.ts', text: 'export const planted = 1;\n', says: 'planted' },
  'import rules': {
    file: 'core/planted/index.ts',
    text: "import { Session } from '../../proxy-task/session.ts';\n\nexport const planted = Session;\n",
    says: 'core/planted/index.ts',
  },
  wording: {
    file: 'core/planted/index.ts',
    text: ['// TO', 'DO: later\nexport const planted = 1;\n'].join(''),
    says: 'core/planted/index.ts',
  },
};

describe('each gate refuses a planted violation', () => {
  test('and there is one for each gate', () => {
    expect(Object.keys(violations).sort()).toEqual(gates.map(({ name }) => name).sort());
  });

  test.each(gates.map((gate) => [gate.name, gate] as const))('%s', async (name, gate) => {
    const violation = violations[name];
    const folder = await smallRepository();
    const file = join(folder, violation?.file ?? '');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, violation?.text ?? '');

    const result = await runGate(gate, folder);

    expect(result.passed, result.output).toBe(false);
    expect(result.output).toContain(violation?.says);
  });
});

/** The configuration of this repository over next to no code. */
async function smallRepository(): Promise<string> {
  const folder = temporaryFolder();
  for (const name of [
    'package.json',
    'tsconfig.json',
    'biome.json',
    '.oxlintrc.json',
    'knip.json',
    '.gitignore',
    'scripts',
  ]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  for (const name of ['bin', 'cli', 'core', 'ssh', 'adapters', 'proxy-task', 'test'])
    mkdirSync(join(folder, name));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  await run('git', ['init', '-q', folder]);
  return folder;
}
