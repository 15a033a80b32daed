import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

describe('the cost of a deployment', () => {
  let table = '';
  let totals: readonly { readonly engineers: number; readonly usd: number }[] = [];

  beforeAll(() => {
    const { stdout } = spawnSync(process.execPath, [join(root, 'scripts', 'cost.ts'), '--json'], {
      cwd: root,
      encoding: 'utf8',
    });
    ({ table, estimates: totals } = JSON.parse(stdout));
  });

  it('is under 75 USD a month for the small deployment', () => {
    const small = totals.find(({ engineers }) => engineers === 25);

    expect(small?.usd).toBeGreaterThan(40);
    expect(small?.usd).toBeLessThan(75);
  });

  it('is on its page as the stacks are now; npm run cost -- --write puts it there', () => {
    expect(readFileSync(join(root, 'docs', 'cost.md'), 'utf8')).toContain(table);
  });
});
