import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createFolderBlobStore, verifyLakeFolder } from '#adapters/local';
import { digestKeyOf } from '#core/digest';
import { run } from '../../support/run.ts';

const folder = join(import.meta.dirname, '..', '..', 'vectors', 'evidence');
const second = join(import.meta.dirname, '..', '..', 'support', 'verify_evidence.py');
const { cases } = z
  .object({
    cases: z.array(
      z.object({
        name: z.string(),
        keys: z.array(z.string()),
        asOf: z.string(),
        class: z.string().nullable(),
        classes: z.array(z.string()),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')));

type Case = (typeof cases)[number];

async function found({ name, keys, asOf }: Case) {
  const lake = join(folder, name);
  const { ok, problems } = await verifyLakeFolder(lake, {
    liveSessions: 'streams',
    recordings: createFolderBlobStore(lake),
    digests: {
      keys: keys.flatMap((key) => digestKeyOf(readFileSync(join(folder, key), 'utf8')) ?? []),
      asOfMs: Date.parse(asOf),
    },
  });
  return { ok, classes: classesOf(problems.map(({ code }) => code)) };
}

function classesOf(codes: readonly string[]): readonly string[] {
  return [...new Set(codes)].sort();
}

/** The verifier that was written from the specification alone. */
async function foundBySecond({ name, keys, asOf }: Case) {
  const args = [second, join(folder, name), asOf, ...keys.map((key) => join(folder, key))];
  const { code, stdout, stderr } = await run('python3', args);
  if (stderr !== '') throw new Error(stderr);
  const codes = stdout
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t')[0] ?? '');
  return { ok: code === 0, classes: classesOf(codes) };
}

test('there is a lake for each way of tampering', () => {
  expect(cases.filter((each) => each.class === null).length).toBeGreaterThan(2);
  expect(new Set(cases.flatMap(({ classes }) => classes)).size).toBeGreaterThan(17);
});

describe.concurrent.each(cases)('$name', (each) => {
  const expected = { ok: each.class === null, classes: each.classes };

  test('is judged as its manifest says', async () => {
    if (each.class !== null) expect(each.classes).toContain(each.class);

    expect(await found(each)).toEqual(expected);
  });

  test('is judged the same by a verifier that knows the specification alone', async () => {
    expect(await foundBySecond(each)).toEqual(expected);
  }, 60_000);
});
