import { randomUUID } from 'node:crypto';
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createEventBusSink } from '../../../../adapters/aws/notices/index.ts';
import { type AuditRecord, busEventNames, type EventName } from '../../../../core/contract/index.ts';
import { parseRunRequest } from '../../../../lambdas/run-runbook/run-request.ts';
import { fakeEventBridge } from '../../../fakes/aws/events.ts';
import { jsonAnswer, jsonError, startFakeAws } from '../../../fakes/aws/fake-aws.ts';
import { clientOptions } from '../../../support/aws-endpoints.ts';
import { motoQueue } from './moto-queue.ts';

const moto = process.env['MOTO_ENDPOINT'];
const names = new Set<string>(busEventNames);

function recordOf(index: number, changes: Partial<AuditRecord> = {}): AuditRecord {
  return {
    eventVersion: '1.0',
    eventID: `018f0000-0000-7000-8000-${String(index).padStart(12, '0')}`,
    eventTime: '2027-01-15T08:00:00.123Z',
    eventSource: 'ssh-proxy.example.com',
    eventName: 'StartSession',
    eventCategory: 'ActivityAuditLog',
    eventType: 'ActivityLog',
    awsRegion: 'eu-central-1',
    recipientAccountId: '123456789012',
    readOnly: false,
    userIdentity: { type: 'IAMUser', principalId: 'AIDAEXAMPLE', userName: 'engineer' },
    requestParameters: { target: 'web-1' },
    responseElements: {},
    additionalEventData: {
      sessionId: 's-1',
      chainSeq: String(index),
      ingestTime: '2027-01-15T08:00:00.200Z',
    },
    ...changes,
  };
}

const records = (count: number) => Array.from({ length: count }, (_, index) => recordOf(index));
const large = (index: number, bytes: number) =>
  recordOf(index, { requestParameters: { command: 'x'.repeat(bytes) } });

/** A sink on a bus of its own; `refuse` stands for EventBridge's opinion of single entries. */
async function opened(
  refuse?: (id: string) => { readonly code: string; readonly message: string } | undefined,
  deadlineMs?: number,
) {
  const events = fakeEventBridge({
    refuse: ({ Detail = '' }) => refuse?.((JSON.parse(Detail) as AuditRecord).eventID),
  });
  const front = await startFakeAws({ services: [events] });
  onTestFinished(() => front.close());
  const client = new EventBridgeClient(clientOptions(front.endpoint));
  onTestFinished(() => client.destroy());
  const sink = createEventBusSink({
    client,
    bus: 'sshtrail',
    eventNames: names,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
  const ids = () => events.entries.map(({ detail }) => detail['eventID']);
  return { sink, events, front, client, ids };
}

describe('createEventBusSink', () => {
  it('puts the records that somebody may wait for, whole, and no others', async () => {
    const { sink, events } = await opened();
    const off: readonly EventName[] = ['OpenShell', 'EndSession'];

    await sink.deliver([recordOf(1), ...off.map((eventName) => recordOf(2, { eventName })), recordOf(3)]);

    expect(sink.name).toBe('event-bus');
    expect(events.entries).toEqual(
      [1, 3].map((index) => ({
        id: expect.any(String),
        bus: 'sshtrail',
        source: 'sshtrail',
        'detail-type': 'StartSession',
        time: '2027-01-15T08:00:00Z',
        detail: recordOf(index),
      })),
    );
  });

  it('asks nothing where there is nothing to put', async () => {
    const { sink, front } = await opened();

    await sink.deliver([]);
    await sink.deliver([recordOf(1, { eventName: 'EndSession' })]);

    expect(front.calls).toEqual([]);
  });

  it('puts ten at a time, in order', async () => {
    const { sink, front, ids } = await opened();

    await sink.deliver(records(25));

    expect(front.calls).toEqual(Array(3).fill('events:PutEvents'));
    expect(ids()).toEqual(records(25).map(({ eventID }) => eventID));
  });

  it('keeps to the bytes a call may have', async () => {
    const { sink, front, ids } = await opened();
    const given = [100_000, 100_000, 100_000, 230_000, 10, 10].map((bytes, index) => large(index, bytes));

    await sink.deliver(given);

    expect(front.calls).toHaveLength(3);
    expect(ids()).toEqual(given.map(({ eventID }) => eventID));
  });

  it('counts bytes and not characters', async () => {
    const { sink, ids } = await opened();
    const given = [1, 2, 3].map((index) =>
      recordOf(index, { requestParameters: { command: '€'.repeat(40_000) } }),
    );

    await sink.deliver(given);

    expect(ids()).toHaveLength(3);
  });

  it('puts of a record too large for the bus what says which it is, and a runbook can be started by that', async () => {
    const { sink, events } = await opened();
    const endless = 'y'.repeat(150_000);

    await sink.deliver([
      large(1, 300_000),
      recordOf(2, { userIdentity: { type: 'IAMUser', principalId: endless, userName: endless } }),
    ]);

    expect(events.entries.map(({ detail }) => detail)).toEqual([
      {
        eventID: recordOf(1).eventID,
        eventTime: '2027-01-15T08:00:00.123Z',
        eventName: 'StartSession',
        eventSource: 'ssh-proxy.example.com',
        awsRegion: 'eu-central-1',
        recipientAccountId: '123456789012',
        userIdentity: { type: 'IAMUser', principalId: 'AIDAEXAMPLE', userName: 'engineer' },
        additionalEventData: {
          truncated: 'true',
          sessionId: 's-1',
          ingestTime: '2027-01-15T08:00:00.200Z',
        },
      },
      expect.objectContaining({
        userIdentity: { type: 'IAMUser', principalId: 'y'.repeat(512), userName: 'y'.repeat(512) },
      }),
    ]);
    expect(parseRunRequest(events.entries[0])).toMatchObject({
      kind: 'event',
      record: { eventName: 'StartSession', userIdentity: { userName: 'engineer' } },
      takenMs: Date.parse('2027-01-15T08:00:00.200Z'),
    });
  });

  it('puts again the entries that failed, and those alone', async () => {
    const failing = new Set([recordOf(2).eventID, recordOf(7).eventID]);
    const { sink, front, ids } = await opened((id) =>
      failing.delete(id) ? { code: 'ThrottlingException', message: 'Rate exceeded' } : undefined,
    );
    const sizes: number[] = [];
    front.inject(({ body }) => {
      sizes.push((JSON.parse(body.toString('utf8')) as { Entries: unknown[] }).Entries.length);
      return undefined;
    });

    await sink.deliver(records(10));

    expect(sizes).toEqual([10, 2]);
    expect(new Set(ids())).toEqual(new Set(records(10).map(({ eventID }) => eventID)));
    expect(ids().slice(8)).toEqual([recordOf(2).eventID, recordOf(7).eventID]);
  });

  it('rejects where some still fail at the deadline, and says how many and why', async () => {
    const poor = new Set([recordOf(0).eventID, recordOf(4).eventID]);
    const { sink, ids } = await opened(
      (id) => (poor.has(id) ? { code: 'InternalFailure', message: 'later' } : undefined),
      300,
    );

    const delivering = sink.deliver(records(5));

    await expect(delivering).rejects.toMatchObject({ name: 'NoticeError', code: 'not-on-the-bus' });
    await expect(delivering).rejects.toThrow(
      /2 events could not be put on the bus sshtrail: .*InternalFailure: later/,
    );
    expect(ids()).toHaveLength(3);
  });

  it('does not ask again where an entry is refused for good', async () => {
    const { sink, front } = await opened(() => ({
      code: 'NotAuthorizedForSourceException',
      message: 'no \u001b[2J',
    }));

    const delivering = sink.deliver(records(2));

    await expect(delivering).rejects.toThrow(
      /NotAuthorizedForSourceException: no \\u\{1b\}\[2J\); look at the bus, its policy/,
    );
    expect(front.calls).toHaveLength(1);
  });

  it('takes no entry for delivered that EventBridge says nothing about', async () => {
    const { sink, front, ids } = await opened();
    let short = true;
    front.inject(() => {
      if (!short) return undefined;
      short = false;
      return { kind: 'answer', ...jsonAnswer({ FailedEntryCount: 0, Entries: [{ EventId: 'e-1' }] }) };
    });

    await sink.deliver(records(3));

    expect(ids()).toEqual([recordOf(1).eventID, recordOf(2).eventID]);
  });

  it.each([
    ['a fault of EventBridge', { kind: 'answer', ...jsonError(500, 'InternalException', 'later') }],
    ['a throttled call', { kind: 'answer', ...jsonError(400, 'ThrottlingException', 'Rate exceeded') }],
    ['a broken connection', { kind: 'reset' }],
    ['a lost answer', { kind: 'lose-answer' }],
  ] as const)('puts again after %s', async (_name, fault) => {
    const { sink, front, ids } = await opened();
    let left = 1;
    front.inject(() => (left-- > 0 ? fault : undefined));

    await sink.deliver(records(3));

    expect(new Set(ids())).toEqual(new Set(records(3).map(({ eventID }) => eventID)));
  });

  it('names the right that is missing', async () => {
    const { sink, front } = await opened();
    front.inject(() => ({ kind: 'answer', ...jsonError(400, 'AccessDeniedException', 'no') }));

    await expect(sink.deliver(records(1))).rejects.toThrow(/the role here lacks events:PutEvents/);
    expect(front.calls).toHaveLength(1);
  });

  it('goes on after a batch that failed only when it is delivered again', async () => {
    let broken = true;
    const { sink, ids } = await opened((id) =>
      broken && id === recordOf(12).eventID ? { code: 'MalformedDetail', message: 'no' } : undefined,
    );

    await expect(sink.deliver(records(25))).rejects.toMatchObject({ code: 'not-on-the-bus' });
    const before = ids().length;
    broken = false;
    await sink.deliver(records(25).slice(10));

    expect(before).toBe(19);
    expect(new Set(ids())).toEqual(new Set(records(25).map(({ eventID }) => eventID)));
  });
});

describe('the fake bus', () => {
  it.each([
    ['no entry', [], 'ValidationException'],
    [
      'eleven',
      Array.from({ length: 11 }, () => ({ Source: 's', DetailType: 'd', Detail: '{}' })),
      'ValidationException',
    ],
    [
      'more than 256 KiB',
      [{ Source: 's', DetailType: 'd', Detail: `"${'x'.repeat(262_144)}"` }],
      'ValidationException',
    ],
  ])('refuses a call with %s', async (_name, Entries, name) => {
    const { client } = await opened();

    await expect(client.send(new PutEventsCommand({ Entries }))).rejects.toMatchObject({ name });
  });

  it.each([
    [{ DetailType: 'd', Detail: '{}' }, 'InvalidArgument'],
    [{ Source: 's', Detail: '{}' }, 'InvalidArgument'],
    [{ Source: 's', DetailType: 'd' }, 'InvalidArgument'],
    [{ Source: 's', DetailType: 'd'.repeat(129), Detail: '{}' }, 'InvalidArgument'],
    [{ Source: 's', DetailType: 'd', Detail: '{' }, 'MalformedDetail'],
    [{ Source: 's', DetailType: 'd', Detail: '[]' }, 'MalformedDetail'],
    [{ Source: 'aws.ec2', DetailType: 'd', Detail: '{}' }, 'NotAuthorizedForSourceException'],
  ])('refuses the entry %j alone', async (entry, code) => {
    const { client } = await opened();
    const good = { Source: 's', DetailType: 'd', Detail: '{}' };

    const answer = await client.send(new PutEventsCommand({ Entries: [good, entry] }));

    expect(answer.FailedEntryCount).toBe(1);
    expect(answer.Entries).toMatchObject([{ EventId: expect.any(String) }, { ErrorCode: code }]);
  });
});

describe.each(moto === undefined ? [] : [moto])('over moto', (endpoint) => {
  it('gives a rule of the bus every record, whole', async () => {
    const client = new EventBridgeClient(clientOptions(endpoint));
    onTestFinished(() => client.destroy());
    const bus = `sshtrail-${randomUUID()}`;
    const queue = await motoQueue(endpoint);
    await client.send(new CreateEventBusCommand({ Name: bus }));
    await client.send(
      new PutRuleCommand({
        Name: 'all',
        EventBusName: bus,
        EventPattern: JSON.stringify({ source: ['sshtrail'], 'detail-type': ['StartSession'] }),
      }),
    );
    await client.send(
      new PutTargetsCommand({ Rule: 'all', EventBusName: bus, Targets: [{ Id: 'queue', Arn: queue.arn }] }),
    );
    const sink = createEventBusSink({ client, bus, eventNames: names });

    await sink.deliver([...records(12), large(12, 300_000), recordOf(13, { eventName: 'DenyAccess' })]);

    const details = (await queue.receive()).map(
      (body) => (JSON.parse(body) as { detail: AuditRecord }).detail,
    );
    const byId = new Map(details.map((detail) => [detail.eventID, detail]));
    expect(byId.size).toBe(13);
    expect(byId.get(recordOf(3).eventID)).toEqual(recordOf(3));
    expect(byId.get(recordOf(12).eventID)?.additionalEventData).toMatchObject({ truncated: 'true' });
  });
});
