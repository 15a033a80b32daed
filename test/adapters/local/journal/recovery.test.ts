import { appendFile, copyFile, cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { JournalError, openSegmentFiles } from '#adapters/local';
import { closeLostSessions, endSession, startProxy, stopProxy } from '#core/event';
import { atMs, sessionFacts } from '../../../core/event/sample-facts.ts';
import {
  command,
  dataDirectory,
  filesBelow,
  journalIn,
  linesOf,
  openSegmentPath,
  sealedSegmentPath,
  sessionStart,
  verified,
} from './sample-journal.ts';

const proxy = { proxyId: 'p-eu1-a', version: '0.1.0' };
const started = startProxy(proxy, atMs, { listen: [], tornBytes: 0, lostSessions: 0 });

/** A directory as a gateway leaves it that is killed after these records. */
async function killedAfter(...drafts: readonly ReturnType<typeof command>[]): Promise<string> {
  const living = await dataDirectory();
  const journal = await journalIn(living);
  for (const draft of drafts) await journal.record(draft);
  const killed = await dataDirectory();
  await cp(living, killed, { recursive: true });
  return killed;
}

test('what a killed gateway left open goes to the lake, and the chain goes on', async () => {
  const directory = await killedAfter(command('a'), command('b'));

  const journal = await journalIn(directory);
  const next = await journal.record(command('c'));

  expect(journal.recovered).toEqual({ tornBytes: 0, sealedSegments: 1, lostSessions: [] });
  expect(next.additionalEventData['chainSeq']).toBe('3');
  expect(await openSegmentFiles(directory)).toMatchObject([{ firstSeq: 3 }]);
  expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 3 }] });
});

test('a torn last line is cut off wherever it was torn, and what was acknowledged stays', async () => {
  const whole = await killedAfter(command('a'), command('b'));
  const bytes = await readFile(openSegmentPath(whole));
  const second = bytes.indexOf(0x0a) + 1;

  for (const end of [second + 1, second + 500, bytes.length - 1]) {
    const directory = await killedAfter(command('a'), command('b'));
    await writeFile(openSegmentPath(directory), bytes.subarray(0, end));

    const journal = await journalIn(directory);
    const next = await journal.record(command('c'));

    expect(journal.recovered.tornBytes).toBe(end - second);
    expect(next.additionalEventData['chainSeq']).toBe('2');
    expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 2 }] });
  }
});

test('a segment with nothing but a torn line, or nothing at all, disappears', async () => {
  for (const left of ['{"torn', '', '\0\0\0']) {
    const directory = await killedAfter(command('a'));
    await writeFile(openSegmentPath(directory), left);

    const journal = await journalIn(directory);
    const record = await journal.record(command('b'));

    expect(journal.recovered).toMatchObject({ tornBytes: left.length, sealedSegments: 0 });
    expect(record.additionalEventData).toMatchObject({ chainSeq: '1', chainPrev: '0'.repeat(64) });
  }
});

describe('a kill while a segment is sealed', () => {
  test('before the sealed file has its name leaves a file that is made anew', async () => {
    const directory = await killedAfter(command('a'));
    await writeFile(`${openSegmentPath(directory)}.gz.unfinished`, 'half');

    await (await journalIn(directory)).close();

    expect((await filesBelow(directory)).filter((file) => file.includes('0001'))).toEqual([
      'lake/events/dt=2026-11-20/gateway/000000000001.ndjson.gz',
    ]);
  });

  test('before the open one is gone leaves twins, of which the sealed one counts', async () => {
    const directory = await killedAfter(command('a'));
    const open = await readFile(openSegmentPath(directory));
    await (await journalIn(directory)).close();
    await writeFile(openSegmentPath(directory), open);

    const listed = await openSegmentFiles(directory);
    const before = await verified(directory);
    const journal = await journalIn(directory);

    expect(listed).toEqual([]);
    expect(before).toMatchObject({ ok: true, streams: [{ records: 1 }] });
    expect(journal.recovered.sealedSegments).toBe(0);
    expect((await filesBelow(directory)).filter((file) => file.endsWith('.ndjson'))).toEqual([]);
    await expect(journal.record(command('b'))).resolves.toMatchObject({
      additionalEventData: { chainSeq: '2' },
    });
  });

  test('twins that differ are kept, both, and the gateway does not start', async () => {
    const directory = await killedAfter(command('a'));
    const open = await readFile(openSegmentPath(directory));
    await (await journalIn(directory)).close();
    await writeFile(openSegmentPath(directory), Buffer.concat([open, open]));

    await expect(journalIn(directory)).rejects.toMatchObject({ code: 'damaged' });

    expect(await openSegmentFiles(directory)).toEqual([]);
    expect(await readFile(openSegmentPath(directory))).toHaveLength(open.length * 2);
  });
});

const refused = { code: 'damaged', saysWhatToDo: true, untouched: true };

/** What becomes of an opening over a damaged file, and of the file. */
async function openingOver(directory: string, path: string) {
  const before = await readFile(path);
  const error: unknown = await journalIn(directory).catch((reason: unknown) => reason);
  if (!(error instanceof JournalError)) return error;
  const saysWhatToDo =
    error.message.startsWith(`${path}: `) && /sshtrail verify.*new stream name/.test(error.message);
  return { code: error.code, saysWhatToDo, untouched: before.equals(await readFile(path)) };
}

describe('a gateway does not start over', () => {
  test('a changed record', async () => {
    const directory = await killedAfter(command('cat secret'), command('b'));
    const path = openSegmentPath(directory);
    await writeFile(path, (await readFile(path, 'utf8')).replace('cat secret', 'cat nothing'));

    expect(await openingOver(directory, path)).toEqual(refused);
  });

  test('a missing record', async () => {
    const directory = await killedAfter(command('a'), command('b'), command('c'));
    const path = openSegmentPath(directory);
    const [a, , c] = await linesOf(path);
    await writeFile(path, `${a}\n${c}\n`);

    expect(await openingOver(directory, path)).toEqual(refused);
  });

  test('a repeated record', async () => {
    const directory = await killedAfter(command('a'));
    const path = openSegmentPath(directory);
    await appendFile(path, await readFile(path));

    expect(await openingOver(directory, path)).toEqual(refused);
  });

  test('a missing segment', async () => {
    const directory = await killedAfter(command('a'));
    await (await journalIn(directory)).close();
    const journal = await journalIn(directory);
    await journal.record(command('b'));
    await journal.close();
    await rm(sealedSegmentPath(directory, 2));
    await copyFile(sealedSegmentPath(directory, 1), sealedSegmentPath(directory, 9));

    expect(await openingOver(directory, sealedSegmentPath(directory, 9))).toEqual(refused);
  });

  test('a last sealed segment that was cut', async () => {
    const directory = await killedAfter(command('a'));
    await (await journalIn(directory)).close();
    await truncate(sealedSegmentPath(directory), 200);

    expect(await openingOver(directory, sealedSegmentPath(directory))).toEqual(refused);
  });

  test('a last sealed segment that another program compressed', async () => {
    const directory = await killedAfter(command('a'));
    const records = await readFile(openSegmentPath(directory));
    await (await journalIn(directory)).close();
    await writeFile(sealedSegmentPath(directory), Buffer.concat([gzipSync(records), gzipSync('x\n')]));

    expect(await openingOver(directory, sealedSegmentPath(directory))).toEqual(refused);
  });

  test('and the stream is free again for whoever mends it', async () => {
    const directory = await killedAfter(command('a'));
    const good = await readFile(openSegmentPath(directory));
    await writeFile(openSegmentPath(directory), 'no record\n');

    await expect(journalIn(directory)).rejects.toMatchObject({ code: 'damaged' });
    await writeFile(openSegmentPath(directory), good);

    await expect(journalIn(directory)).resolves.toBeDefined();
  });
});

describe('sessions of a killed gateway', () => {
  const one = `s-${'1'.repeat(32)}`;
  const two = `s-${'2'.repeat(32)}`;
  const ended = {
    endReason: 'TargetClosed',
    bytesIn: 0,
    bytesOut: 0,
    seconds: 0,
    channels: 0,
    recordings: 0,
  } as const;

  test('are found, and ended before the next gateway says that it started', async () => {
    const directory = await killedAfter(
      started,
      sessionStart(one),
      command('a'),
      sessionStart(two),
      endSession({ ...sessionFacts, sessionId: two }, atMs, ended),
    );

    const journal = await journalIn(directory);
    const { lostSessions } = journal.recovered;
    const tooEarly = journal.record(started);
    await expect(tooEarly).rejects.toMatchObject({ code: 'sessions-open' });
    for (const draft of closeLostSessions(lostSessions, atMs)) await journal.record(draft);
    await journal.record(started);

    expect(lostSessions.map((record) => record.additionalEventData['sessionId'])).toEqual([one]);
    expect(await verified(directory)).toMatchObject({
      ok: true,
      sessions: { started: 2, ended: 2, live: 0 },
    });
  });

  test('are found across segments, and again when the next gateway is killed before it ended them all', async () => {
    const directory = await dataDirectory();
    const first = await journalIn(directory, { sealAfterBytes: 1 });
    for (const draft of [started, sessionStart(one), command('a'), sessionStart(two), command('b')])
      await first.record(draft);
    await first.close();
    const second = await journalIn(directory);
    const [end] = closeLostSessions(second.recovered.lostSessions, atMs);
    if (end !== undefined) await second.record(end);
    await second.close();

    const third = await journalIn(directory);

    expect(second.recovered.lostSessions).toHaveLength(2);
    expect(third.recovered.lostSessions.map((record) => record.additionalEventData['sessionId'])).toEqual([
      two,
    ]);
  });

  test('are looked for no further back than the oldest session that was open', async () => {
    const directory = await dataDirectory();
    const first = await journalIn(directory, { sealAfterBytes: 1 });
    const drafts = [
      started,
      sessionStart(one),
      endSession({ ...sessionFacts, sessionId: one }, atMs, ended),
      command('a'),
      sessionStart(two),
      command('b'),
    ];
    for (const draft of drafts) await first.record(draft);
    await first.close();
    // Whoever read this far back would notice.
    await writeFile(sealedSegmentPath(directory, 2), 'unreadable');

    const second = await journalIn(directory);

    expect(second.recovered.lostSessions.map((record) => record.additionalEventData['chainSeq'])).toEqual([
      '5',
    ]);
  });

  test.each(['', '\0\0', '{"seq":', 'x'.repeat(100)])(
    'are found though the hint is unreadable: %j',
    async (hint) => {
      const directory = await killedAfter(started, sessionStart(one), command('a'));
      await writeFile(join(directory, 'journal/gateway/oldest-open-session.json'), hint);

      const journal = await journalIn(directory);

      expect(journal.recovered.lostSessions).toHaveLength(1);
    },
  );

  test('are not looked for behind a clean stop', async () => {
    const directory = await killedAfter(
      sessionStart(one),
      stopProxy(proxy, atMs, { reason: 'signal', seconds: 1 }),
    );

    const journal = await journalIn(directory);

    expect(journal.recovered.lostSessions).toEqual([]);
  });
});
