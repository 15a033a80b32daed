import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { AthenaClient } from '@aws-sdk/client-athena';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAthenaEngine } from '../../../adapters/aws/athena/index.ts';
import type { QueryEngine, Row } from '../../../core/contract/index.ts';
import { glueTables } from '../../../core/contract/index.ts';
import {
  type LakeEngine,
  searchGapsStatement,
  searchStatement,
  type TextSearch,
} from '../../../core/lake/index.ts';
import { fakeAthena } from '../../fakes/aws/athena.ts';
import { startFakeAws } from '../../fakes/aws/fake-aws.ts';
import { clientOptions } from '../../support/aws-endpoints.ts';
import { lines, pagesOf, sampleLake, sampleRecord } from '../local/duckdb/sample-lake.ts';
import { trinoProblems } from './lake-of-runbooks.ts';

const one = `s-${'1'.repeat(32)}`;
const two = `s-${'2'.repeat(32)}`;
const three = `s-${'3'.repeat(32)}`;

function screenRows(session: string, day: string, texts: readonly string[], outcome: string): object[] {
  const row = { session_id: session, recording_id: `${session}/c1` };
  return [
    ...texts.map((text, index) => ({
      ...row,
      said_at: `${day}T10:00:0${index}.000Z`,
      seconds: index + 0.5,
      text,
    })),
    { ...row, said_at: `${day}T11:00:00.000Z`, seconds: 60, outcome },
  ];
}

const screens: ReadonlyMap<string, readonly object[]> = new Map([
  [
    `screen-text/dt=2026-11-20/${one}/c1.ndjson.gz`,
    screenRows(one, '2026-11-20', ['$ cat /etc/sudoers', "it's 100%_ DENIED? \\"], 'complete'),
  ],
  [
    `screen-text/dt=2026-11-19/${two}/c1.ndjson.gz`,
    screenRows(two, '2026-11-19', ['SUDOERS is busy'], 'cut'),
  ],
]);

function stored(session: string, userName: string, target: string, at: string): object {
  return sampleRecord({
    eventName: 'StoreRecording',
    userName,
    session,
    at,
    requestParameters: { target, targetUser: 'root', recordingId: `${session}/c1` },
  });
}

const records: readonly object[] = [
  stored(one, 'alice', 'db1', '2026-11-20T11:00:00.000Z'),
  // On record twice, after a kill.
  stored(one, 'alice', 'db1', '2026-11-20T11:00:09.000Z'),
  stored(two, 'bob', 'web1', '2026-11-20T11:00:00.000Z'),
  stored(three, 'bob', 'web1', '2026-11-20T11:30:00.000Z'),
  sampleRecord({
    eventName: 'ExecuteCommand',
    userName: 'alice',
    session: one,
    at: '2026-11-20T10:00:00.250Z',
    requestParameters: {
      target: 'db1',
      targetUser: 'root',
      channelId: 'c1',
      command: 'cat /etc/sudoers',
      recordingSecond: '0.25',
    },
  }),
  sampleRecord({
    eventName: 'ExecuteCommand',
    userName: 'carol',
    session: three,
    at: '2026-11-18T10:00:00.000Z',
    errorCode: 'AccessDenied',
    requestParameters: { target: 'db1', targetUser: 'root', channelId: 'c7', command: 'visudo SUDOERS' },
  }),
];

/** The same lake on one machine and on AWS. */
async function engines(): Promise<readonly (readonly [LakeEngine, QueryEngine])[]> {
  const local = await sampleLake();
  await local.seal('2026-11-20', 'gateway', '000000000001', records);
  for (const [key, rows] of screens) {
    const path = join(local.dataDirectory, 'lake', key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, gzipSync(lines(rows)));
  }
  const objects = new Map([
    ['events/dt=2026-11-20/task-1/000000000001.ndjson.gz', gzipSync(lines(records))],
    ...[...screens].map(([key, rows]) => [key, gzipSync(lines(rows))] as const),
  ]);
  const aws = await startFakeAws({ services: [fakeAthena({ lake: async () => objects, trinoProblems })] });
  onTestFinished(() => aws.close());
  const client = new AthenaClient(clientOptions(aws.endpoint));
  onTestFinished(() => client.destroy());
  return [
    ['duckdb', await local.engine()],
    ['athena', createAthenaEngine({ client, workgroup: 'sshtrail', database: 'sshtrail', pollMs: 1 })],
  ];
}

async function found(
  [name, engine]: readonly [LakeEngine, QueryEngine],
  search: Partial<TextSearch>,
): Promise<readonly Row[]> {
  const { sql, parameters } = searchStatement(name, { words: ['sudoers'], limit: 10, ...search });
  return (await pagesOf(await engine.select(sql, { deadlineMs: 20_000, parameters }))).flat();
}

const short = (rows: readonly Row[]) =>
  rows.map((row) => [row['kind'], row['text'], row['user_name'], row['target_name'], row['seconds']]);

describe('a search', () => {
  it('finds the same on one machine and on AWS, newest first, with whose it was', async () => {
    for (const place of await engines()) {
      const rows = await found(place, {});

      expect(short(rows)).toEqual([
        ['command', 'cat /etc/sudoers', 'alice', 'db1', 0.25],
        ['screen', '$ cat /etc/sudoers', 'alice', 'db1', 0.5],
        ['screen', 'SUDOERS is busy', 'bob', 'web1', 0.5],
        ['command', 'visudo SUDOERS', 'carol', 'db1', 0],
      ]);
      expect(rows.map((row) => [row['stored'], row['error_code']])).toEqual([
        [true, null],
        [true, null],
        [true, null],
        [false, 'AccessDenied'],
      ]);
    }
  });

  it.each<readonly [string, Partial<TextSearch>, readonly string[]]>([
    ['all of its words', { words: ['CAT', 'sudoers'] }, ['cat /etc/sudoers', '$ cat /etc/sudoers']],
    ['a person', { user: 'bob' }, ['SUDOERS is busy']],
    ['a target', { target: 'db1', limit: 2 }, ['cat /etc/sudoers', '$ cat /etc/sudoers']],
    ['a time', { untilMs: Date.UTC(2026, 10, 19) }, ['visudo SUDOERS']],
    [
      'the time since',
      { sinceMs: Date.UTC(2026, 10, 20, 9), untilMs: Date.UTC(2026, 10, 21) },
      ['cat /etc/sudoers', '$ cat /etc/sudoers'],
    ],
    ['what would be a pattern elsewhere', { words: ["'s 100%_ denied? \\"] }, ["it's 100%_ DENIED? \\"]],
  ])('keeps to %s', async (_name, search, texts) => {
    for (const place of await engines()) {
      const rows = await found(place, search);

      expect(rows.map((row) => row['text'])).toEqual(texts);
    }
  });

  it('says how many recordings it could not look through, and how many not to their end', async () => {
    for (const [name, engine] of await engines()) {
      const { sql } = searchGapsStatement(name, { words: ['x'], limit: 1 });

      const [row] = (await pagesOf(await engine.select(sql, { deadlineMs: 20_000 }))).flat();

      expect([Number(row?.['unread']), Number(row?.['cut'])]).toEqual([1, 1]);
    }
  });

  it('takes any word as text, and nothing as SQL', async () => {
    const [duckdb] = await engines();
    if (duckdb === undefined) throw new Error('no engine');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.string(),
        async (words, user) => {
          fc.pre(words.every((word) => word.trim() !== '' && !/\p{Cc}/u.test(word + user)));

          const rows = await found(duckdb, { words, user });

          expect(rows).toEqual([]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it.each([
    ['no word', []],
    ['an empty one', [' ']],
    ['too many', Array.from({ length: 17 }, () => 'x')],
    ['one that is too long', ['x'.repeat(257)]],
    ['one that no screen could say', ['a\u0000b']],
  ])('is refused with %s', (_name, words) => {
    expect(() => searchStatement('athena', { words, limit: 1 })).toThrow('search for 1 to 16 words');
  });

  it('is refused where there are no screens', () => {
    expect(() => searchStatement('lake', { words: ['x'], limit: 1 })).toThrow('no screens');
  });
});

it('the table of screens is the same on one machine', async () => {
  const local = await sampleLake();
  const engine = await local.engine();

  const { columns } = await engine.select('SELECT * FROM screen_text', { deadlineMs: 20_000 });

  const { screenText } = glueTables;
  expect(columns.map(({ name }) => name)).toEqual(
    [...screenText.columns, ...screenText.partitionKeys].map(([name]) => name),
  );
});
