import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { signAuditEvents } from '../../../../adapters/aws/lake/sign-audit-events.ts';
import type { AuditRecord } from '../../../../core/contract/index.ts';
import type { FakeRequest, Fault } from '../../../fakes/aws/fake-aws.ts';
import { sampleRecord } from '../../local/duckdb/sample-lake.ts';
import { lakePlace } from '../lake-place.ts';

function records(count: number, fields: Parameters<typeof sampleRecord>[0] = {}): readonly AuditRecord[] {
  return Array.from({ length: count }, () => sampleRecord(fields) as AuditRecord);
}

function ids(list: readonly AuditRecord[]): readonly string[] {
  return list.map(({ eventID }) => eventID);
}

/** What PutAuditEvents was called with. */
function watchCalls(
  place: Awaited<ReturnType<typeof lakePlace>>,
): readonly { count: number; bytes: number }[] {
  const calls: { count: number; bytes: number }[] = [];
  place.aws.inject((request: FakeRequest): Fault | undefined => {
    if (request.service === 'cloudtrail-data')
      calls.push({
        count: JSON.parse(request.body.toString()).auditEvents.length,
        bytes: request.body.length,
      });
    return undefined;
  });
  return calls;
}

function answer(status: number, type: string): Fault {
  return {
    kind: 'answer',
    status,
    headers: {
      'content-type': 'application/json',
      'x-amzn-errortype': `${type}:http://internal.amazon.com/`,
    },
    body: JSON.stringify({ message: 'no \u001b[2J' }),
  };
}

describe('a signed call', () => {
  it('is, byte for byte, the one that botocore makes', async () => {
    const vector = JSON.parse(
      readFileSync(new URL('../../../vectors/putauditevents-sigv4.json', import.meta.url), 'utf8'),
    );

    const signed = await signAuditEvents(
      {
        endpoint: 'https://cloudtrail-data.us-east-1.amazonaws.com',
        region: 'us-east-1',
        channelArn: 'arn:aws:cloudtrail:us-east-1:111122223333:channel/EXAMPLE8-0558-4f7e-a06a-43969EXAMPLE',
        externalId: 'ext-1',
        body: vector.body,
      },
      {
        accessKeyId: 'AKIDEXAMPLE',
        secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
        sessionToken: 'TOKEN',
      },
      Date.UTC(2026, 10, 20),
    );

    expect(signed.url).toBe(vector.url);
    expect(signed.headers).toEqual({
      'content-type': vector.headers['Content-Type'],
      'x-amz-date': vector.headers['X-Amz-Date'],
      'x-amz-security-token': vector.headers['X-Amz-Security-Token'],
      authorization: vector.headers['Authorization'],
    });
  });
});

describe('a delivery', () => {
  it('puts every record into the event data store, under its own id', async () => {
    const { sink, data } = await lakePlace();
    const some = records(3);

    await sink.deliver(some);

    expect(data.accepted.map(({ id, eventData }) => [id, eventData['UID']])).toEqual(
      ids(some).map((id) => [id, id]),
    );
  });

  it('signs with a session token where there is one', async () => {
    const secret = {
      accessKeyId: 'ASIAEXAMPLE',
      secretAccessKey: 'secret',
      sessionToken: 'token/with+signs=',
    };
    const { sink, data } = await lakePlace({
      data: { secrets: { ASIAEXAMPLE: 'secret' }, sessionToken: 'token/with+signs=' },
      sink: { credentials: async () => secret },
    });

    await sink.deliver(records(1));

    expect(data.accepted).toHaveLength(1);
  });

  it('of nothing calls nobody', async () => {
    const { sink, aws } = await lakePlace();
    const before = aws.calls.length;

    await sink.deliver([]);

    expect(aws.calls.length).toBe(before);
  });

  it('sends at most a hundred at a time', async () => {
    const place = await lakePlace();
    const calls = watchCalls(place);

    await place.sink.deliver(records(250));

    expect(calls.map(({ count }) => count)).toEqual([100, 100, 50]);
    expect(place.data.accepted).toHaveLength(250);
  });

  it('sends at most a megabyte at a time', async () => {
    const place = await lakePlace({ sink: { includeCommands: true } });
    const calls = watchCalls(place);
    const parameters = Object.fromEntries(
      Array.from({ length: 10 }, (_, index) => [`field${index}`, '"\\'.repeat(4_000)]),
    );

    await place.sink.deliver(records(30, { requestParameters: parameters }));

    expect(calls.length).toBeGreaterThan(1);
    expect(Math.max(...calls.map(({ bytes }) => bytes))).toBeLessThanOrEqual(1_000_000);
    expect(place.data.accepted).toHaveLength(30);
    expect(place.deadLetters).toEqual([]);
  });

  it('sends a record once that comes twice in it', async () => {
    const { sink, data } = await lakePlace();
    const [one] = records(1);
    if (one === undefined) throw new Error('no record');

    await sink.deliver([one, one]);

    expect(data.accepted).toHaveLength(1);
  });

  it('puts a record among the dead letters whose id CloudTrail cannot take', async () => {
    const { sink, data, deadLetters } = await lakePlace();
    const [one, other] = records(2);
    if (one === undefined || other === undefined) throw new Error('no record');

    await sink.deliver([{ ...one, eventID: 'a b\n' }, other]);

    expect(deadLetters.map(({ id, code }) => [id, code])).toEqual([['a b\n', 'InvalidData']]);
    expect(data.accepted).toHaveLength(1);
  });
});

describe('entries that fail', () => {
  it('for a reason that passes are sent again, and only they', async () => {
    const some = records(5);
    const [first = '', second = ''] = ids(some);
    const place = await lakePlace({
      data: {
        failure: (id, attempt) => {
          if (id === first && attempt < 3) return 'Throttling';
          return id === second && attempt < 2 ? 'InternalFailure' : undefined;
        },
      },
    });
    const calls = watchCalls(place);

    await place.sink.deliver(some);

    expect(calls.map(({ count }) => count)).toEqual([5, 2, 1]);
    expect(place.data.accepted.map(({ id }) => id).sort()).toEqual([...ids(some)].sort());
  });

  it('for good are dead letters, and the others are in', async () => {
    const some = records(3);
    const bad = ids(some)[1] ?? '';
    const { sink, data, deadLetters } = await lakePlace({
      data: { failure: (id) => (id === bad ? 'InvalidData' : undefined) },
    });

    await sink.deliver(some);

    expect(deadLetters).toEqual([
      { id: bad, code: 'InvalidData', message: 'The event was refused: InvalidData' },
    ]);
    expect(data.accepted).toHaveLength(2);
  });

  it('longer than the delivery may take reject it, so that it comes again', async () => {
    let nowMs = Date.now();
    const { sink, deadLetters } = await lakePlace({
      data: { failure: () => 'Throttling' },
      sink: {
        now: () => nowMs,
        sleep: async (ms) => {
          nowMs += ms;
        },
      },
    });

    const delivering = sink.deliver(records(2));

    await expect(delivering).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/2 events.*Throttling.*sent again later/),
    });
    expect(deadLetters).toEqual([]);
  });

  it('are not lost when the dead letters cannot be written', async () => {
    const some = records(1);
    let failing = true;
    const letters: string[] = [];
    const { sink } = await lakePlace({
      data: { failure: () => 'FieldTooLong' },
      sink: {
        deadLetter: async (record) => {
          if (failing) throw new Error('no room');
          letters.push(record.eventID);
        },
      },
    });

    const first = sink.deliver(some);
    await expect(first).rejects.toThrow('no room');
    failing = false;
    await sink.deliver(some);

    expect(letters).toEqual(ids(some));
  });
});

describe('an account without CloudTrail Lake', () => {
  it('turns the sink off with one word of it', async () => {
    const { sink, unavailable, aws, deadLetters } = await lakePlace({ data: { subscribed: false } });

    await Promise.all([sink.deliver(records(150)), sink.deliver(records(1))]);
    const calls = aws.calls.length;
    await sink.deliver(records(1));

    expect(unavailable).toHaveLength(1);
    expect(unavailable[0]).toMatch(
      /CloudTrail Lake is not open to account 123456789012 \(AccountNotSubscribed/,
    );
    expect(aws.calls.length).toBe(calls);
    expect(deadLetters).toEqual([]);
  });

  it.each([
    ['UnsupportedOperationException', /is not open to account/],
    ['ChannelNotFound', /there is no channel/],
  ])('%s does so too', async (code, reason) => {
    const { sink, unavailable, aws } = await lakePlace();
    aws.inject((request) => (request.service === 'cloudtrail-data' ? answer(400, code) : undefined));

    await sink.deliver(records(1));
    await sink.deliver(records(1));

    expect(unavailable).toHaveLength(1);
    expect(unavailable[0]).toMatch(reason);
    expect(unavailable[0]).not.toContain('\u001b');
  });

  it('is said again where saying it failed', async () => {
    let tries = 0;
    const { sink } = await lakePlace({
      data: { subscribed: false },
      sink: {
        onUnavailable: async () => {
          tries += 1;
          if (tries === 1) throw new Error('the journal is closed');
        },
      },
    });

    await expect(sink.deliver(records(1))).rejects.toThrow('the journal is closed');
    await sink.deliver(records(1));
    await sink.deliver(records(1));

    expect(tries).toBe(2);
  });
});

describe('a call that fails', () => {
  it.each([
    ['ChannelInsufficientPermission', 400, 'denied', /cloudtrail-data:PutAuditEvents/],
    ['AccessDeniedException', 403, 'denied', /cloudtrail-data:PutAuditEvents/],
    ['InvalidChannelARN', 400, 'refused', /channel's ARN/],
    ['ChannelUnsupportedSchema', 400, 'refused', /channel's ARN and source/],
  ])('with %s rejects with a sentence, at once', async (type, status, code, sentence) => {
    const { sink, aws, unavailable } = await lakePlace();
    aws.inject((request) => (request.service === 'cloudtrail-data' ? answer(status, type) : undefined));
    const before = aws.calls.length;

    const delivering = sink.deliver(records(1));

    await expect(delivering).rejects.toMatchObject({ code, message: expect.stringMatching(sentence) });
    expect(aws.calls.length).toBe(before + 1);
    expect(unavailable).toEqual([]);
  });

  it('with a wrong secret is denied', async () => {
    const { sink, data } = await lakePlace({
      sink: { credentials: async () => ({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wrong' }) },
    });

    await expect(sink.deliver(records(1))).rejects.toMatchObject({ code: 'denied' });
    expect(data.accepted).toEqual([]);
  });

  it.each([
    ['a reset connection', { kind: 'reset' } as const],
    ['a lost answer', { kind: 'lose-answer' } as const],
    ['a throttled call', answer(429, 'ThrottlingException')],
    ['a fault of the service', answer(503, 'ServiceUnavailable')],
    ['expired credentials', answer(403, 'ExpiredTokenException')],
    ['an answer that is none', { kind: 'answer', status: 200, body: '<html>' } as const],
  ])('by %s is made again', async (_, fault) => {
    const { sink, aws, data } = await lakePlace();
    let left = 2;
    aws.inject((request) => {
      if (request.service !== 'cloudtrail-data' || left === 0) return undefined;
      left -= 1;
      return fault;
    });

    const some = records(2);
    await sink.deliver(some);

    expect([...new Set(data.accepted.map(({ id }) => id))]).toEqual(ids(some));
  });

  it('by the network until the end rejects, so that the records come again', async () => {
    let nowMs = Date.now();
    const { sink, aws } = await lakePlace({
      sink: {
        now: () => nowMs,
        sleep: async (ms) => {
          nowMs += ms;
        },
      },
    });
    aws.inject((request) => (request.service === 'cloudtrail-data' ? { kind: 'reset' } : undefined));

    await expect(sink.deliver(records(1))).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('for want of credentials rejects with its cause', async () => {
    const { sink } = await lakePlace({
      sink: { credentials: async () => Promise.reject(new Error('no role here')) },
    });

    await expect(sink.deliver(records(1))).rejects.toMatchObject({
      code: 'unavailable',
      cause: expect.objectContaining({ message: 'no role here' }),
    });
  });
});
