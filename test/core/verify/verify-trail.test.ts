import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verifyLine } from '#core/chain';
import type { AuditDraft } from '#core/contract';
import { closeLostSessions, endSession, parseAuditRecord, startSession, storeRecording } from '#core/event';
import { type ProblemCode, type Segment, type VerifyOptions, verifyTrail } from '#core/verify';
import { chainLines } from '../chain/sample-chain.ts';
import { atMs, sessionFacts } from '../event/sample-facts.ts';

const folder = 'recordings/dt=2026-11-20/s/c1/';
const chunk = Buffer.from('chunk');
const original = Buffer.from('original');
const manifest = Buffer.from(
  JSON.stringify({
    version: 1,
    recordingId: `${facts(0).sessionId}/c1`,
    sessionId: facts(0).sessionId,
    channel: 'c1',
    kind: 'shell',
    chunks: [
      { name: '0.cast.gz', bytes: chunk.length, sha256: sha256(chunk), firstSecond: 0, lastSecond: 1 },
    ],
    originals: [{ name: 'original.000000.sealed', bytes: original.length, sha256: sha256(original) }],
    somethingNew: true,
  }),
);
const stored = new Map([
  [`${folder}manifest.json`, manifest],
  [`${folder}0.cast.gz`, chunk],
  [`${folder}original.000000.sealed`, original],
]);

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function facts(index: number) {
  return { ...sessionFacts, sessionId: `s-${String(index).padStart(32, '0')}` };
}

function end(index: number, recordings = 0): AuditDraft {
  const what = { endReason: 'TargetClosed', bytesIn: 1, bytesOut: 2, seconds: 3, channels: 1 } as const;
  return endSession(facts(index), atMs, { ...what, recordings });
}

function recorded(
  index: number,
  changes: { readonly key?: string; readonly sha256?: string } = {},
): AuditDraft {
  return storeRecording(facts(index), atMs, {
    recordingId: `${facts(index).sessionId}/c1`,
    key: changes.key ?? `${folder}manifest.json`,
    manifestSha256: changes.sha256 ?? sha256(manifest),
    seconds: 1,
    bytes: chunk.length,
  });
}

/** Ten sessions of two records each. */
const drafts = Array.from({ length: 10 }, (_, index) => [
  startSession(facts(index), atMs),
  end(index),
]).flat();
const lines = chainLines(drafts);

type Parts = readonly (readonly Buffer[])[];

/** Segments of these lines, each named after the number its first line once had. */
function segmentsOf(parts: Parts, names: readonly number[] = []): readonly Segment[] {
  let seq = 1;
  return parts.map((part, index) => {
    const firstSeq = names[index] ?? seq;
    seq = firstSeq + part.length;
    return {
      file: `lake/events/dt=2026-11-20/gateway/${firstSeq}`,
      stream: 'gateway',
      firstSeq,
      date: '2026-11-20',
      open: false,
      lines: each(part),
    };
  });
}

async function* each<T>(items: Iterable<T>) {
  yield* items;
}

async function verify(segments: readonly Segment[], options: Partial<VerifyOptions> = {}) {
  return verifyTrail(each(segments), {
    liveSessions: new Set(),
    recordings: { get: async (key) => stored.get(key) },
    start: 'genesis',
    ...options,
  });
}

async function codes(
  segments: readonly Segment[],
  options: Partial<VerifyOptions> = {},
): Promise<readonly ProblemCode[]> {
  return (await verify(segments, options)).problems.map(({ code }) => code);
}

function edited(at: number, edit: (text: string) => string): readonly Buffer[] {
  return lines.with(at, Buffer.from(edit(lines[at]?.toString() ?? '')));
}

const three = (all: readonly Buffer[]): Parts => [all.slice(0, 6), all.slice(6, 12), all.slice(12)];

test('a whole trail verifies, and its head is named', async () => {
  const last = verifyLine(lines.at(-1) ?? Buffer.alloc(0));

  const result = await verify(segmentsOf(three(lines)));

  expect(result).toEqual({
    ok: true,
    streams: [
      { stream: 'gateway', records: 20, firstSeq: 1, lastSeq: 20, headHash: last.record?.chain.hash },
    ],
    sessions: { started: 10, ended: 10, live: 0, open: [] },
    recordings: { stored: 0, intact: 0 },
    problems: [],
    problemsFound: 0,
  });
});

describe('names the file and the record of', () => {
  test.each<[string, readonly Segment[], ProblemCode, number, number]>([
    [
      'a changed record',
      segmentsOf(three(edited(7, (text) => text.replace('pay-api-3', 'pay-api-9')))),
      'hash-mismatch',
      7,
      2,
    ],
    ['a line that is no JSON', segmentsOf(three(edited(7, (text) => text.slice(1)))), 'not-a-record', 7, 2],
    ['a line in another form', segmentsOf(three(edited(7, (text) => `${text} `))), 'not-canonical', 7, 2],
    [
      'a removed record',
      segmentsOf([lines.slice(0, 6), lines.toSpliced(8, 1).slice(6)]),
      'missing-record',
      7,
      3,
    ],
    [
      'a removed segment',
      segmentsOf([lines.slice(0, 6), lines.slice(12)], [1, 13]),
      'missing-segment',
      13,
      1,
    ],
    ['a removed beginning', segmentsOf([lines.slice(6)], [7]), 'missing-start', 7, 1],
    [
      'exchanged records',
      segmentsOf([[...lines.slice(0, 7), ...lines.slice(8, 9), ...lines.slice(7, 8), ...lines.slice(9)]]),
      'reordered',
      1,
      9,
    ],
    [
      'a record written twice',
      segmentsOf([lines.toSpliced(8, 0, ...lines.slice(7, 8))]),
      'duplicate-sequence',
      1,
      9,
    ],
    [
      'a file under another number',
      segmentsOf([lines.slice(0, 6), lines.slice(6)], [1, 9]),
      'misplaced-record',
      9,
      1,
    ],
  ])('%s', async (_, segments, code, firstSeq, record) => {
    const { ok, problems } = await verify(segments);

    expect(ok).toBe(false);
    expect(problems[0]).toMatchObject({
      code,
      file: `lake/events/dt=2026-11-20/gateway/${firstSeq}`,
      record,
    });
    // One attack, one finding of the chain; a session may lack its half besides.
    expect(problems.filter((problem) => !problem.code.startsWith('session'))).toHaveLength(1);
  });

  test('a record that was replaced by one with a hash of its own', async () => {
    const other = chainLines([...drafts.slice(0, 7), startSession({ ...facts(3), login: 'root' }, atMs)]);

    const { problems } = await verify(segmentsOf([lines.with(7, other[7] ?? Buffer.alloc(0))]));

    expect(problems).toContainEqual(expect.objectContaining({ code: 'broken-link', record: 9 }));
  });

  test('a file that cannot be read to its end', async () => {
    async function* broken() {
      yield* lines.slice(0, 3);
      throw new Error('gzip: the checksum does not fit');
    }
    const [segment] = segmentsOf([[]]);

    const { problems } = await verify(segment === undefined ? [] : [{ ...segment, lines: broken() }]);

    expect(problems[0]).toMatchObject({ code: 'broken-segment', record: 4 });
    expect(problems[0]?.message).toContain('checksum');
  });

  test('a file in the folder of another day or stream', async () => {
    const [segment] = segmentsOf([lines]);
    if (segment === undefined) throw new Error('no segment');

    expect(await codes([{ ...segment, lines: each(lines.slice(0, 2)), date: '2026-11-21' }])).toEqual([
      'misplaced-record',
      'misplaced-record',
    ]);
    expect(await codes([{ ...segment, lines: each(lines.slice(0, 2)), stream: 'other' }])).toEqual([
      'misplaced-record',
      'misplaced-record',
    ]);
  });
});

test('an emptied file is a finding, an open one without a record is not', async () => {
  const [sealed, open] = segmentsOf([[], []]);
  if (sealed === undefined || open === undefined) throw new Error('no segment');

  expect(await codes([sealed])).toEqual(['broken-segment']);
  expect(await codes([{ ...open, open: true }])).toEqual([]);
});

test('a trail that was cut at its end is found by its head', async () => {
  const cut = segmentsOf([lines.slice(0, 6)]);
  const head = (await verify(segmentsOf([lines]))).streams[0];
  const knownHeads = new Map([['gateway', { seq: head?.lastSeq ?? 0, hash: head?.headHash ?? '' }]]);

  expect(await codes(segmentsOf([lines.slice(0, 6)]))).toEqual([]);
  expect(await codes(cut, { knownHeads })).toEqual(['missing-tail']);
  expect(await codes(segmentsOf([lines]), { knownHeads })).toEqual([]);
  expect(await codes([], { knownHeads })).toEqual(['missing-tail']);
});

test('a trail that grew since still has its earlier head, and one that was written anew does not', async () => {
  const head = (await verify(segmentsOf([lines.slice(0, 6)]))).streams[0];
  const knownHeads = new Map([['gateway', { seq: head?.lastSeq ?? 0, hash: head?.headHash ?? '' }]]);
  const anew = chainLines(drafts.map((draft) => ({ ...draft, eventTimeMs: draft.eventTimeMs + 1 })));

  expect(await codes(segmentsOf([lines]), { knownHeads })).toEqual([]);
  expect(await codes(segmentsOf([anew]), { knownHeads })).toEqual(['missing-tail']);
});

test('a part of a trail verifies where a part is what was asked for', async () => {
  expect(await codes(segmentsOf([lines.slice(6)], [7]), { start: 'any' })).toEqual([]);
});

test('any one byte changed anywhere is found', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(19),
      fc.nat(10_000),
      fc.integer({ min: 1, max: 255 }),
      async (at, offset, mask) => {
        const bytes = Buffer.from(lines[at] ?? Buffer.alloc(0));
        bytes[offset % bytes.length] = (bytes[offset % bytes.length] ?? 0) ^ mask;

        const { ok, problems } = await verify(segmentsOf(three(lines.with(at, bytes))));

        expect(ok).toBe(false);
        expect(problems[0]?.record).toBe(at < 6 ? at + 1 : at < 12 ? at - 5 : at - 11);
      },
    ),
    { numRuns: 200 },
  );
});

test('any removal, exchange or repetition of lines is found, unless it cuts the end off', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(19), { maxLength: 20 }), async (order) => {
      const chosen = order.map((index) => lines[index] ?? Buffer.alloc(0));
      const isBeginning = order.every((index, at) => index === at);

      const found = (await codes(segmentsOf([chosen]))).filter((code) => !code.startsWith('session'));

      expect(found.length === 0 || chosen.length === 0).toBe(isBeginning);
    }),
    { numRuns: 300 },
  );
});

test('collects every problem, keeps the first thousand, and counts the rest', async () => {
  const many = chainLines(Array.from({ length: 1500 }, () => startSession(facts(0), atMs)));

  const { problems, problemsFound } = await verify(
    segmentsOf([many.map((line) => Buffer.from(line.toString().replace('pay-api-3', 'x')))]),
  );

  expect(problems).toHaveLength(1000);
  expect(problems[0]).toMatchObject({ code: 'hash-mismatch', record: 1 });
  expect(problemsFound).toBeGreaterThanOrEqual(1500);
});

describe('sessions', () => {
  test.each<[string, readonly AuditDraft[], readonly ProblemCode[]]>([
    ['without an end', [startSession(facts(0), atMs)], ['session-without-end']],
    ['without a start', [end(0)], ['session-without-start']],
    ['with two ends', [startSession(facts(0), atMs), end(0), end(0)], ['session-twice']],
    [
      'with two starts',
      [startSession(facts(0), atMs), startSession(facts(0), atMs), end(0)],
      ['session-twice'],
    ],
    [
      'that speak of a recording nobody stored',
      [startSession(facts(0), atMs), end(0, 1)],
      ['missing-recording'],
    ],
  ])('%s are found', async (_, trail, expected) => {
    const { problems } = await verify(segmentsOf([chainLines(trail)]));

    expect(problems.map(({ code }) => code)).toEqual(expected);
    expect(problems[0]?.sessionId).toBe(facts(0).sessionId);
  });

  test('that are open need no end', async () => {
    const result = await verify(segmentsOf([chainLines([startSession(facts(0), atMs)])]), {
      liveSessions: new Set([facts(0).sessionId]),
    });

    expect(result).toMatchObject({ ok: true, sessions: { started: 1, ended: 0, live: 1 } });
  });

  test('of a killed gateway are whole with the end the next one wrote', async () => {
    const started = chainLines([startSession(facts(0), atMs)]);
    const record = parseAuditRecord(started[0] ?? Buffer.alloc(0));
    const ends = closeLostSessions(record === undefined ? [] : [record], atMs);

    expect(await codes(segmentsOf([chainLines([startSession(facts(0), atMs), ...ends])]))).toEqual([]);
  });
});

describe('recordings', () => {
  const trail = (stored: AuditDraft) =>
    segmentsOf([chainLines([startSession(facts(0), atMs), stored, end(0, 1)])]);
  const changedStore = (key: string, bytes: Buffer | undefined) => ({
    recordings: { get: async (asked: string) => (asked === key ? bytes : stored.get(asked)) },
  });

  test('that are there and unchanged verify', async () => {
    expect(await verify(trail(recorded(0)))).toMatchObject({
      ok: true,
      recordings: { stored: 1, intact: 1 },
    });
  });

  test.each<[string, Partial<VerifyOptions>, ProblemCode]>([
    ['without a manifest', changedStore(`${folder}manifest.json`, undefined), 'missing-recording'],
    [
      'with another manifest',
      changedStore(`${folder}manifest.json`, Buffer.from('{}')),
      'recording-mismatch',
    ],
    ['without a chunk', changedStore(`${folder}0.cast.gz`, undefined), 'missing-chunk'],
    ['with a changed chunk', changedStore(`${folder}0.cast.gz`, Buffer.from('chunX')), 'chunk-mismatch'],
    [
      'without a part of the original',
      changedStore(`${folder}original.000000.sealed`, undefined),
      'missing-chunk',
    ],
    [
      'with a changed part of it',
      changedStore(`${folder}original.000000.sealed`, Buffer.from('0riginal')),
      'chunk-mismatch',
    ],
    [
      'that the store cannot read',
      {
        recordings: {
          get: async () => {
            throw new Error('EIO');
          },
        },
      },
      'missing-recording',
    ],
  ])('%s are found', async (_, options, code) => {
    const { problems } = await verify(trail(recorded(0)), options);

    expect(problems).toMatchObject([{ code, record: 2, sessionId: facts(0).sessionId }]);
  });

  test('of another session do not stand in', async () => {
    const segments = segmentsOf([chainLines([startSession(facts(1), atMs), recorded(1), end(1, 1)])]);

    expect(await codes(segments)).toEqual(['recording-mismatch']);
  });

  test('cannot point out of their folder', async () => {
    const escaping = Buffer.from(manifest.toString().replace('0.cast.gz', '../../../0.cast.gz'));
    const options = changedStore(`${folder}manifest.json`, escaping);

    expect(await codes(trail(recorded(0, { sha256: sha256(escaping) })), options)).toEqual([
      'recording-mismatch',
    ]);
  });

  test('with a manifest of any bytes are a finding', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((json) => Buffer.from(json)),
        ),
        async (bytes) => {
          const options = changedStore(`${folder}manifest.json`, Buffer.from(bytes));

          expect(await codes(trail(recorded(0, { sha256: sha256(bytes) })), options)).toEqual([
            'recording-mismatch',
          ]);
        },
      ),
    );
  });
});
