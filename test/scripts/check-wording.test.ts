import { describe, expect, it } from 'vitest';
import { checkWording } from '../../scripts/check-wording.ts';
import { wordingRules } from '../../scripts/wording-rules.ts';
import { withTree } from './planted-tree.ts';

const repository = new URL('../..', import.meta.url).pathname;

/** Written apart, so that this file does not contain what it plants. */
const join = (...parts: readonly string[]) => parts.join('');

const planted: readonly (readonly [rule: string, file: string, text: string])[] = [
  ['lonely-test', 'test/a.test.ts', join('it.', "only('x', () => {});")],
  ['lonely-test', 'test/a.test.ts', join('describe.each.', "only([1])('x', () => {});")],
  ['skipped-test', 'test/a.test.ts', join('it.', "skip('x', () => {});")],
  ['skipped-test', 'test/a.test.ts', join('test.', "skipIf(true)('x', () => {});")],
  ['skipped-test', 'test/a.test.ts', join('test.', "runIf(process.env['CI'])('x', () => {});")],
  ['skipped-test', 'test/a.test.ts', join('it.', "todo('x');")],
  ['skipped-test', 'test/a.test.ts', join('xdescri', "be('x', () => {});")],
  ['unfinished', 'core/a.ts', join('// TO', 'DO: later')],
  ['unfinished', 'docs/a.md', join('FIX', 'ME')],
  ['silenced-compiler', 'core/a.ts', join('// @ts-', 'ignore')],
  ['silenced-compiler', 'core/a.ts', join('// @ts-', 'expect-error')],
  ['silenced-lint', 'core/a.ts', join('// oxlint-', 'disable-next-line no-x')],
  ['silenced-lint', 'core/a.ts', join('/* eslint-', 'disable */')],
  ['silenced-lint', 'core/a.ts', join('// biome-', 'ignore format: x')],
  ['folder-of-a-machine', 'core/a.ts', join('const folder = "/ro', 'ot/project/x";')],
  ['folder-of-a-machine', 'docs/a.md', join('see /home/', 'jdoe/src/app')],
  ['folder-of-a-machine', 'docs/a.md', join('see /Users/', 'jdoe/src')],
  ['real-address', 'core/a.ts', join("connect('10.', '1.2.3');").replace("', '", '')],
  ['real-address', 'docs/a.md', join('ping 8.8.', '4.4.')],
  ['real-account', 'core/a.ts', join("const account = '9876", "54321098';")],
  ['real-account', 'docs/a.md', join('arn:aws:iam::9876', '54321098:role/x')],
];

const harmless = [
  'export const only = filter.only; skip(3);',
  'ping 192.0.2.1 198.51.100.20/32 203.0.113.255 127.0.0.53 0.0.0.0 255.255.255.0 169.254.169.254',
  'version 1.2.3.4.5 and v1.22.333.4444 and 1.2.3',
  "const account = ['123456789012', '111122223333', '000000000000'];",
  'at 1700000000000 ms, 2026112010153012345, 0123456789abcdef123456789012abcdef',
  'keep it in /home/alice/.ssh and ~/root/x, or https://example.com/root/x',
  'todoList mastodon hackathon',
  join('test.', "runIf(process.platform === 'linux')('x', () => {});"),
];

describe('the wording rules', () => {
  it.each(planted)('bite: %s in %s: %s', (rule, file, text) => {
    const found = withTree({ [file]: `fine\n${text}\n` }, checkWording);

    expect(found.map(({ file: where, line, rule: name }) => `${where}:${line} ${name}`)).toEqual([
      `${file}:2 ${rule}`,
    ]);
    expect(found[0]?.message).not.toBe('');
  });

  it('have a planted violation each', () => {
    expect([...new Set(planted.map(([rule]) => rule))].sort()).toEqual(
      wordingRules.map(({ name }) => name).sort(),
    );
  });

  it.each(harmless)('leave alone: %s', (text) => {
    expect(withTree({ 'test/a.test.ts': text }, checkWording)).toEqual([]);
  });

  it('pass over what others made: vectors, locks, packages, data and binary files', () => {
    const real = join('8.8.', '4.4');
    const files = [
      'test/vectors/a.txt',
      'package-lock.json',
      'node_modules/a/a.ts',
      'sshtrail-data/a.txt',
      '.git/a',
    ];

    expect(withTree(Object.fromEntries(files.map((file) => [file, real])), checkWording)).toEqual([]);
    expect(withTree({ 'docs/a.png': Buffer.from(`\0${real}`) }, checkWording)).toEqual([]);
  });

  it('are kept by this repository', () => {
    expect(checkWording(repository)).toEqual([]);
  });
});
