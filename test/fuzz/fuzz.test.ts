import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseArguments } from './arguments.ts';
import { Finding, startCampaign } from './campaign.ts';
import { startCoverage } from './coverage.ts';
import { type FuzzTarget, parserTarget } from './fuzz-target.ts';
import { randomFrom } from './random.ts';
import { seedsOf } from './seeds.ts';
import { targets } from './targets/index.ts';

const run = promisify(execFile);
const main = join(import.meta.dirname, 'main.ts');
/** So that the search in the tests is the same each time, as far as it gets. */
const random = '20260101';
const searchSeconds = 30;

describe('what is kept of earlier searches', () => {
  it.each(targets.map((target) => ({ name: target.name, target })))(
    'breaks nothing: $name',
    async ({ target }) => {
      for (const input of [...target.starts(), ...seedsOf(target.name).map((seed) => seed.input)])
        await expect(Promise.resolve(target.run(input))).resolves.toBeUndefined();
    },
  );
});

describe('a search', () => {
  it('finds nothing in the time the tests have', async () => {
    const searched = run(process.execPath, [main, '--seconds', `${searchSeconds}`, '--random', random], {
      timeout: 55_000,
    });

    await expect(searched).resolves.toMatchObject({ stdout: '' });
  });

  it('finds a parser that forgets a length check, by the code its inputs reach', async () => {
    const coverage = startCoverage();
    onTestFinished(coverage.stop);
    const forgetful: FuzzTarget = parserTarget({
      name: 'forgetful',
      about: 'reads three bytes that must be there',
      starts: () => [Buffer.from('12345678')],
      family: [RangeError],
      parse(input) {
        if (input[0] === 0x7f && input.length < 4) throw new TypeError('not of the family');
        return input.readUInt32BE(0);
      },
    });
    const campaign = startCampaign(forgetful, [], {
      coverage,
      random: randomFrom(1),
      onInput: () => undefined,
    });
    await campaign.begin();

    await expect(campaign.search(20_000)).rejects.toBeInstanceOf(Finding);
  });
});

describe('an input alone', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sshtrail-fuzz-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('can be run', async () => {
    const file = join(folder, 'input');
    writeFileSync(file, 'root@web-1');

    const { stdout } = await run(process.execPath, [main, '--target', 'login-name', '--seed', file]);

    expect(stdout).toBe('login-name: nothing broke\n');
  });
});

describe('options', () => {
  const known = ['a', 'b'];

  it('mean ten minutes on all targets where there are none', () => {
    expect(parseArguments([], known, 5)).toEqual({
      seconds: 600,
      targets: [],
      random: 5,
      keep: false,
      help: false,
    });
  });

  it.each([
    ['an unknown target', ['--target', 'c']],
    ['a seed without a target', ['--seed', 'x']],
    ['no number of seconds', ['--seconds', 'soon']],
    ['an unknown option', ['--fast']],
  ])('with %s are refused', (_what, argv) => {
    expect(() => parseArguments(argv, known, 5)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});
