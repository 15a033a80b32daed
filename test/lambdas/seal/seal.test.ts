import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type AuditRecord, streamName } from '../../../core/contract/index.ts';
import { gzipMember } from '../../../core/journal/index.ts';
import {
  command,
  keepingSink,
  lakeRecords,
  names,
  session,
  sessionEnd,
  sessionStart,
  started,
  stream,
  verified,
} from '../../adapters/aws/journal/sample-stream.ts';
import { openPlace, stopped, sweep, task } from './sealing-place.ts';

const one = session('1');
const two = session('2');
const other = streamName('task-fedcba9876543210');
const minuteMs = 60_000;

const ofStream = (records: readonly AuditRecord[], name: string) =>
  records.filter(({ additionalEventData }) => additionalEventData['chainStream'] === name);

/** Changes one word of a segment. Returns what takes that back. */
async function damaged(memory: ReturnType<typeof openPlace>['memory'], key: string) {
  const kept = memory.evidence.get(key) ?? Buffer.alloc(0);
  const text = gunzipSync(kept).toString('utf8').replace('proxyVersion', 'proxyVersiom');
  memory.evidence.set(key, await gzipMember(Buffer.from(text)));
  return () => void memory.evidence.set(key, kept);
}

describe('a task that has stopped', () => {
  it('has its stream completed: sessions end, everything is in the lake, the writer is gone', async () => {
    const place = openPlace();
    const sink = keepingSink();
    place.sinks.push(sink);
    await place.gateway([started, sessionStart(one), command('ls', one)]);

    const summary = await place.seal(stopped());

    expect(summary).toEqual({ sealed: 1, lostSessions: 1, leftForNext: 0 });
    expect(names(await lakeRecords(place.memory))).toEqual([
      'StartProxy',
      'StartSession',
      'ExecuteCommand',
      'EndSession',
    ]);
    expect(sink.records.at(-1)?.responseElements['endReason']).toBe('ProxyLost');
    expect(place.writers()).toEqual([]);
    expect((await verified(place.memory)).problems).toEqual([]);
  });

  it('is the only one whose streams are completed', async () => {
    const place = openPlace();
    await place.gateway([started]);
    await place.gateway([started], { name: other, task: `${task}1` });

    await place.seal(stopped());

    expect(place.writers()).toEqual([`writer ${other}`]);
  });

  it.each([
    ['that stops', stopped(task, 'DEPROVISIONING')],
    ['that nobody knows', stopped(`${task}9`)],
  ])('is not one %s', async (_, event) => {
    const place = openPlace();
    await place.gateway([started]);

    expect(await place.seal(event)).toEqual({ sealed: 0, lostSessions: 0, leftForNext: 0 });
    expect(place.writers()).toHaveLength(1);
  });

  it.each([1, 2, 3, 4, 5])(
    'is completed once, however often that is delivered at once (%i)',
    async (seed) => {
      const place = openPlace();
      const sink = keepingSink();
      place.sinks.push(sink);
      await place.gateway([started, sessionStart(one), sessionStart(two)]);

      const summaries = await Promise.all([0, seed % 2, seed % 3].map(() => place.seal(stopped())));

      const records = ofStream(await lakeRecords(place.memory), stream);
      expect(names(records).filter((name) => name === 'EndSession')).toHaveLength(2);
      expect(new Set(sink.records.map(({ eventID }) => eventID)).size).toBe(5);
      expect((await verified(place.memory)).problems).toEqual([]);
      expect(place.writers()).toEqual([]);
      expect(summaries.every(({ leftForNext }) => leftForNext === 0)).toBe(true);
      expect(await place.seal(stopped())).toEqual({ sealed: 0, lostSessions: 0, leftForNext: 0 });
    },
  );
});

describe('a sweep', () => {
  it('completes what fell silent, and lets alone who lives', async () => {
    const place = openPlace();
    await place.gateway([started, sessionStart(one)]);

    place.clock.nowMs -= minuteMs;
    expect(await place.seal(sweep)).toMatchObject({ sealed: 0 });
    place.clock.nowMs += minuteMs;
    expect(await place.seal(sweep)).toMatchObject({ sealed: 1, lostSessions: 1 });
  });

  it('completes the streams of functions, too', async () => {
    const place = openPlace();
    const journal = await place.gateway([started]);
    await journal.close();
    const dead = streamName('run-runbook-0123456789abcdef');
    await place.gateway([command('x')], { name: dead });

    expect(await place.seal(sweep)).toMatchObject({ sealed: 1 });
  });

  it('goes on after one that cannot be completed, and ends in an error', async () => {
    const place = openPlace();
    await place.gateway([started, command('a')]);
    await place.gateway([started, command('b')], { name: other });
    const broken = [...place.memory.journal.keys()].find((key) => key.includes(stream)) ?? '';
    place.memory.journal.set(broken, Buffer.from('{"not":"a record"}\n'));

    await expect(place.seal(sweep)).rejects.toMatchObject({
      name: 'FunctionError',
      code: 'incomplete',
      message: expect.stringContaining(stream),
    });

    expect(place.writers()).toEqual([`writer ${stream}`]);
    expect(place.counts).toEqual([['SealFailures', 1]]);
    expect(names(ofStream(await lakeRecords(place.memory), other))).toEqual(['StartProxy', 'ExecuteCommand']);
  });

  it('verifies the chain also where nobody knows the sinks', async () => {
    const place = openPlace();
    await place.gateway([started], { sealed: true });

    await expect(
      place.seal(sweep, {}, {}, async () => {
        throw new Error('the parameter cannot be read');
      }),
    ).rejects.toThrow('the parameter cannot be read');

    expect(place.writers()).toHaveLength(1);
    expect(place.memory.control.has(`check ${stream}`)).toBe(true);
  });

  it('says what sinks have not had, and delivers it the next time', async () => {
    const place = openPlace();
    const sink = keepingSink();
    let down = true;
    place.sinks.push({
      name: 'bus',
      deliver: async (records) => {
        if (down) throw new Error('the bus is down');
        await sink.deliver(records);
      },
    });
    await place.gateway([started]);

    await expect(place.seal(sweep)).rejects.toMatchObject({ code: 'incomplete' });
    down = false;
    expect(await place.seal(sweep)).toMatchObject({ sealed: 1 });
    expect(names(sink.records)).toContain('StartProxy');
  });

  it('leaves to the next one what it has no time for', async () => {
    const place = openPlace();
    await place.gateway([started]);
    await place.gateway([started], { name: other });
    let calls = 0;

    const summary = await place.seal(sweep, { remainingMs: () => (calls++ === 0 ? 600_000 : 20_000) });

    expect(summary).toEqual({ sealed: 1, lostSessions: 0, leftForNext: 1 });
    expect(place.writers()).toHaveLength(1);
  });
});

describe('the chain', () => {
  it('is verified as far as it was not yet', async () => {
    const place = openPlace();
    const journal = await place.gateway([started, command('a')], { sealed: true });
    place.clock.nowMs -= 2 * minuteMs;

    expect(await place.seal(sweep)).toMatchObject({ verified: 1 });
    expect(await place.seal(sweep)).toMatchObject({ verified: 0 });
    await journal.record(command('b'));
    await journal.sealNow();
    expect(await place.seal(sweep)).toMatchObject({ verified: 1 });
    expect(place.notifier.notices).toEqual([]);
  });

  it('is not broken by sessions and recordings that go beyond what was sealed', async () => {
    const place = openPlace();
    const journal = await place.gateway([started, sessionStart(one), sessionEnd(two, 3)], { sealed: true });
    place.clock.nowMs -= 2 * minuteMs;

    expect(await place.seal(sweep)).toMatchObject({ verified: 1 });
    await journal.record(sessionEnd(one, 1));
    await journal.sealNow();
    expect(await place.seal(sweep)).toMatchObject({ verified: 1 });
  });

  it('that was changed is told once, and rings the alarm until somebody acted', async () => {
    const place = openPlace();
    await place.gateway([started, command('a')], { sealed: true });
    place.clock.nowMs -= 2 * minuteMs;
    const [key = ''] = [...place.memory.evidence.keys()];
    const restore = await damaged(place.memory, key);

    const sweeps = () => expect(place.seal(sweep)).rejects.toMatchObject({ code: 'incomplete' });
    await sweeps();
    await sweeps();

    expect(place.notifier.notices).toMatchObject([{ severity: 'critical', runbookId: 'SSH-016' }]);
    expect(place.notifier.notices[0]?.text).toContain(key);
    const losses = (await lakeRecords(place.memory)).filter(
      ({ eventName }) => eventName === 'ReportAuditLoss',
    );
    expect(losses).toMatchObject([
      { requestParameters: { subject: key, reason: expect.stringContaining('hash-mismatch') } },
    ]);
    expect(place.counts.map(([metric]) => metric)).toEqual(['SealFailures', 'SealFailures']);

    restore();
    expect(await place.seal(sweep)).toMatchObject({ verified: expect.any(Number) });
  });

  it('that is changed is told once by two sweeps at once', async () => {
    const place = openPlace();
    await place.gateway([started, command('a')], { sealed: true });
    place.clock.nowMs -= 2 * minuteMs;
    await damaged(place.memory, [...place.memory.evidence.keys()][0] ?? '');

    await Promise.allSettled([place.seal(sweep), place.seal(sweep)]);

    expect(place.notifier.notices).toHaveLength(1);
  });

  it('is told broken again where nobody could be told before', async () => {
    const place = openPlace();
    await place.gateway([started, command('a')], { sealed: true });
    place.clock.nowMs -= 2 * minuteMs;
    await damaged(place.memory, [...place.memory.evidence.keys()][0] ?? '');
    place.notifier.failure = new Error('the topic is gone');

    await expect(place.seal(sweep)).rejects.toThrow('people could not be told');
    place.notifier.failure = undefined;
    await expect(place.seal(sweep)).rejects.toMatchObject({ code: 'incomplete' });

    expect(place.notifier.notices).toHaveLength(1);
    const losses = (await lakeRecords(place.memory)).filter(
      ({ eventName }) => eventName === 'ReportAuditLoss',
    );
    expect(losses).toHaveLength(1);
  });

  it.each<[string, (place: ReturnType<typeof openPlace>, keys: readonly string[]) => unknown, RegExp]>([
    [
      'lacks a segment',
      ({ memory }, [, second = '']) => memory.evidence.delete(second),
      /number 2 of stream .* missing/,
    ],
    [
      'lacks the segment that was verified last',
      ({ memory }, [first = '']) => memory.evidence.delete(first),
      /missing|cannot be read|once had/,
    ],
    [
      'has another segment in the place of the one that was verified last',
      ({ memory }, [first = '']) => damaged(memory, first),
      /hash/,
    ],
  ])('is broken where it %s', async (_, damage, message) => {
    const place = openPlace();
    const journal = await place.gateway([started], { sealed: true });
    place.clock.nowMs -= 2 * minuteMs;
    await place.seal(sweep);
    for (const text of ['b', 'c']) {
      await journal.record(command(text));
      await journal.sealNow();
    }
    const keys = [...place.memory.evidence.keys()]
      .filter((key) => key.startsWith('events/') && key.includes(stream))
      .sort();
    await damage(place, keys);

    await expect(place.seal(sweep)).rejects.toThrow(message);
    expect(place.notifier.notices).toHaveLength(1);
  });

  it('of one stream does not stand in the way of the others', async () => {
    const place = openPlace();
    await place.gateway([started, command('a')], { sealed: true });
    const [key = ''] = [...place.memory.evidence.keys()];
    await place.gateway([started], { name: other, sealed: true });
    place.clock.nowMs -= 2 * minuteMs;
    await damaged(place.memory, key);

    await expect(place.seal(sweep)).rejects.toMatchObject({ code: 'incomplete' });
    expect(place.memory.control.has(`check ${other}`)).toBe(true);
    expect(place.memory.control.has(`check ${stream}`)).toBe(false);
  });

  it('is verified by the next sweep where there was no time', async () => {
    const place = openPlace();
    await place.gateway([started], { sealed: true });
    await place.gateway([started], { name: other, sealed: true });
    place.clock.nowMs -= 2 * minuteMs;
    const remaining = [600_000, 600_000, 600_000, 600_000, 1_000];

    expect(await place.seal(sweep, { remainingMs: () => remaining.shift() ?? 1_000 })).toMatchObject({
      verified: 1,
    });
    expect(await place.seal(sweep, { remainingMs: () => 10_000 })).not.toHaveProperty('verified');
    expect(await place.seal(sweep)).toMatchObject({ verified: 1 });
  });
});

describe('what is no reason to seal', () => {
  it.each([
    ['nothing', undefined],
    ['text', 'sweep'],
    ['another kind', { kind: 'sleep' }],
    ['a task by a name of no form', stopped('*')],
    ['a schedule of another form', { 'detail-type': 'Scheduled Event', detail: {} }],
  ])('is %s, which is refused', async (_, event) => {
    const place = openPlace();
    await place.gateway([started]);

    await expect(place.seal(event)).rejects.toMatchObject({ code: 'bad-request' });
    expect(place.writers()).toHaveLength(1);
  });
});
