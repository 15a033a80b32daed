import { spawnSync } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkImports } from '../../scripts/check-imports.ts';
import { withTree } from './planted-tree.ts';

const repository = new URL('../..', import.meta.url).pathname;

const tree = {
  'package.json': JSON.stringify({
    imports: {
      '#core/*': './core/*/index.ts',
      '#ssh': './ssh/index.ts',
      '#adapters/local': './adapters/local/index.ts',
    },
  }),
  'core/contract/index.ts': 'export const one = 1;',
  'core/chain/index.ts':
    "import { one } from '../contract/index.ts';\nimport { inner } from './inner.ts';\nexport const two = one + inner;",
  'core/chain/inner.ts':
    "import { createHash } from 'node:crypto';\nexport const inner = createHash('sha256').digest().length;",
  'ssh/index.ts': "export * from './wire/index.ts';\nexport * from './relay/index.ts';",
  'ssh/wire/index.ts': 'export const wire = 1;',
  'ssh/wire/inner.ts': 'export const wire = 1;',
  'ssh/relay/index.ts': "import { wire } from '../wire/index.ts';\nexport const relay = wire;",
  'ssh/algorithms/index.ts':
    "import type { Transport } from '../transport/contract.ts';\nexport type Cipher = Transport;",
  'ssh/transport/contract.ts': 'export type Transport = 1;',
  'ssh/transport/index.ts': "export type { Cipher } from '../algorithms/index.ts';",
  'adapters/local/index.ts':
    "import { one } from '#core/contract';\nimport { readFileSync } from 'node:fs';\nexport const read = [one, readFileSync, Date.now()];",
  'proxy-task/index.ts':
    "import { wire } from '#ssh';\nimport { read } from '#adapters/local';\nexport const task = [wire, read];",
  'cli/main.ts':
    "import { task } from '../proxy-task/index.ts';\nimport manifest from '../package.json' with { type: 'json' };\nexport const main = [task, manifest, await import('node:os')];",
  'bin/sshtrail.ts': "import '../cli/main.ts';",
  'lib/stack.ts': "import '#core/contract';",
  'scripts/free.ts': "import '../core/chain/inner.ts';\nimport('x' + 1);",
};

function violationsWith(file: string, text: string): string[] {
  return withTree({ ...tree, [file]: text }, (root) =>
    checkImports(root).map((found) => `${found.file}:${found.line} ${found.rule}`),
  );
}

describe('the import rules', () => {
  it('are kept by a tree that keeps them', () => {
    expect(withTree(tree, checkImports)).toEqual([]);
  });

  it.each<[string, string, string, string]>([
    ['core imports ssh', 'core/x/index.ts', "\nimport '#ssh';", 'core/x/index.ts:2 room-arrow'],
    [
      'core imports an adapter by path',
      'core/x/index.ts',
      "import '../../adapters/local/index.ts';",
      'core/x/index.ts:1 room-arrow',
    ],
    [
      'ssh imports core, types only',
      'ssh/wire/x.ts',
      "import type { one } from '#core/contract';",
      'ssh/wire/x.ts:1 room-arrow',
    ],
    [
      'ssh imports core in a type',
      'ssh/wire/x.ts',
      "\n\nexport type X = import('#core/contract').X;",
      'ssh/wire/x.ts:3 room-arrow',
    ],
    ['an adapter imports ssh', 'adapters/local/x.ts', "import '#ssh';", 'adapters/local/x.ts:1 room-arrow'],
    [
      'an adapter exports from ssh',
      'adapters/local/x.ts',
      "export { wire } from '#ssh';",
      'adapters/local/x.ts:1 room-arrow',
    ],
    [
      'the gateway imports the command line',
      'proxy-task/x.ts',
      "import '../cli/main.ts';",
      'proxy-task/x.ts:1 room-arrow',
    ],
    ['the entry imports core', 'bin/x.ts', "import '#core/contract';", 'bin/x.ts:1 room-arrow'],
    ['the entry imports core later', 'bin/x.ts', "await import('#core/contract');", 'bin/x.ts:1 room-arrow'],
    [
      'lib imports more of core than the contract',
      'lib/x.ts',
      "import '#core/chain';",
      'lib/x.ts:1 room-arrow',
    ],
    ['a room imports tests', 'cli/x.ts', "import '../test/x.ts';", 'cli/x.ts:1 unresolved'],
    ['a room imports scripts', 'cli/x.ts', "import '../scripts/free.ts';", 'cli/x.ts:1 room-arrow'],
    [
      'past the door of core',
      'adapters/local/x.ts',
      "import '../../core/chain/inner.ts';",
      'adapters/local/x.ts:1 past-a-door',
    ],
    [
      'beside the alias of core',
      'adapters/local/x.ts',
      "import '../../core/chain/index.ts';",
      'adapters/local/x.ts:1 past-a-door',
    ],
    [
      'past the door of ssh',
      'proxy-task/x.ts',
      "import '../ssh/wire/index.ts';",
      'proxy-task/x.ts:1 past-a-door',
    ],
    ['past the door of the gateway', 'cli/x.ts', "import '../proxy-task/x.ts';", 'cli/x.ts:1 unresolved'],
    [
      'past the door of a module of core',
      'core/x/index.ts',
      "import '../chain/inner.ts';",
      'core/x/index.ts:1 past-a-door',
    ],
    [
      'past the door of a layer',
      'ssh/relay/x.ts',
      "import '../wire/inner.ts';",
      'ssh/relay/x.ts:1 past-a-door',
    ],
    [
      'a layer imports one above',
      'ssh/wire/x.ts',
      "import '../relay/index.ts';",
      'ssh/wire/x.ts:1 layer-order',
    ],
    [
      'a layer imports one beside it',
      'ssh/algorithms/x.ts',
      "import '../transport/index.ts';",
      'ssh/algorithms/x.ts:1 layer-order',
    ],
    ['a layer imports the whole', 'ssh/wire/x.ts', "import '../index.ts';", 'ssh/wire/x.ts:1 layer-order'],
    [
      'a layer imports the whole by its alias',
      'ssh/wire/x.ts',
      "import '#ssh';",
      'ssh/wire/x.ts:1 layer-order',
    ],
    ['a layer without a place', 'ssh/new/x.ts', "import '../wire/index.ts';", 'ssh/new/x.ts:1 layer-order'],
    ['an alias that is none', 'cli/x.ts', "import '#nothing';", 'cli/x.ts:1 unknown-alias'],
    ['an alias that leads nowhere', 'cli/x.ts', "import '#core/nothing';", 'cli/x.ts:1 unknown-alias'],
    [
      'an alias that goes past a door',
      'cli/x.ts',
      "import '#core/chain/inner.ts';",
      'cli/x.ts:1 unknown-alias',
    ],
    ['a file that is not there', 'cli/x.ts', "import './y.ts';", 'cli/x.ts:1 unresolved'],
    ['a file without its ending', 'cli/x.ts', "import './main';", 'cli/x.ts:1 unresolved'],
    ['a file outside', 'cli/x.ts', "import '../../x.ts';", 'cli/x.ts:1 unresolved'],
    [
      'core reads files',
      'core/x/index.ts',
      "import { readFileSync } from 'node:fs';",
      'core/x/index.ts:1 impure-core',
    ],
    [
      'core reads files, without node:',
      'core/x/index.ts',
      "import 'fs/promises';",
      'core/x/index.ts:1 impure-core',
    ],
    ['core connects', 'core/x/index.ts', "await import('node:net');", 'core/x/index.ts:1 impure-core'],
    [
      'core starts processes',
      'core/x/index.ts',
      "export * from 'node:child_process';",
      'core/x/index.ts:1 impure-core',
    ],
    [
      'core draws randomness',
      'core/x/index.ts',
      "import { createHash, randomBytes as r } from 'node:crypto';",
      'core/x/index.ts:1 impure-core',
    ],
    [
      'core takes all of crypto',
      'core/x/index.ts',
      "import * as crypto from 'node:crypto';",
      'core/x/index.ts:1 impure-core',
    ],
    [
      'core reads the time',
      'core/x/index.ts',
      'export const now = () =>\n  Date.now();',
      'core/x/index.ts:2 impure-core',
    ],
    [
      'core makes the present date',
      'core/x/index.ts',
      'export const now = () => new Date();',
      'core/x/index.ts:1 impure-core',
    ],
    [
      'core reads the environment',
      'core/x/index.ts',
      "export const home = process.env['HOME'];",
      'core/x/index.ts:1 impure-core',
    ],
    [
      'core throws dice',
      'core/x/index.ts',
      'export const dice = Math.random();',
      'core/x/index.ts:1 impure-core',
    ],
    ['core waits', 'core/x/index.ts', 'setTimeout(() => {}, 1);', 'core/x/index.ts:1 impure-core'],
    ['a computed import', 'cli/x.ts', 'const name = "x";\nawait import(name);', 'cli/x.ts:2 computed-import'],
    ['an import made of parts', 'cli/x.ts', 'await import(`./${1}.ts`);', 'cli/x.ts:1 computed-import'],
    ['no TypeScript', 'cli/x.ts', 'const = 1;', 'cli/x.ts:1 unreadable'],
    ['JavaScript that hides in a room', 'core/x/x.mjs', "import 'node:fs';", 'core/x/x.mjs:1 impure-core'],
  ])('bite: %s', (_, file, text, expected) => {
    expect(violationsWith(file, text)).toEqual([expected]);
  });

  it('see no import in comments, texts and regular expressions', () => {
    const text =
      "// import '#ssh';\n/* import '#ssh'; */\nexport const a = \"import '#ssh'\";\nexport const b = `import('#ssh') ${1}`;\nexport const c = /import '#ssh'/;";

    expect(violationsWith('core/x/index.ts', text)).toEqual([]);
  });

  it('let core use a date it is given, types of impure modules and pure parts of crypto', () => {
    const text =
      "import type { Stats } from 'node:fs';\nimport { createHash, timingSafeEqual } from 'node:crypto';\nexport const at = (ms: number, s: Stats) => [new Date(ms), Date.UTC(2026), s, createHash, timingSafeEqual];";

    expect(violationsWith('core/x/index.ts', text)).toEqual([]);
  });

  it('are kept by this repository', () => {
    expect(checkImports(repository)).toEqual([]);
  });

  it('fail the command with the place and what to do', () => {
    const [ok, bad] = ['', "import '#ssh';"].map((text) =>
      withTree({ ...tree, 'core/x/index.ts': text }, (root) => {
        cpSync(join(repository, 'scripts'), join(root, 'scripts'), { recursive: true });
        symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
        return spawnSync(process.execPath, [join(root, 'scripts/check-imports.ts')], { encoding: 'utf8' });
      }),
    );

    expect(ok).toMatchObject({ status: 0, stdout: '' });
    expect(bad?.status).toBe(1);
    expect(bad?.stdout).toMatch(/^core\/x\/index\.ts:1: room-arrow: core may not import ssh, only itself: /);
  });
});
