import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../../core/contract/index.ts';
import { givenRecords } from '../../../core/runbook/given-events.ts';
import { jsonError } from '../../fakes/aws/fake-aws.ts';
import { configure, minuteMs, openStage, sessionName, sessionsWithoutMfa, startMs } from '../stage.ts';

function names(records: readonly AuditRecord[]): readonly string[] {
  return records.map(({ eventName }) => eventName);
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('a scheduled run', () => {
  it('stores what it finds, puts it on record, freezes it and starts the Automation document', async () => {
    const stage = await openStage();
    await stage.put(sessionsWithoutMfa(1, startMs));

    const summaries = await stage.run(stage.schedule());

    expect(summaries).toEqual([
      { runbookId: 'SSH-002', engine: 'athena', mode: 'auto', findings: 1, handedOver: 1 },
    ]);
    expect([...stage.executions.values()]).toEqual([
      {
        runbookId: 'SSH-002',
        findingKey: sessionName(1),
        dryRun: false,
        clientToken: expect.stringMatching(uuid),
      },
    ]);
    expect(names(stage.recorded())).toEqual([
      'StartRunbook',
      'DetectCondition',
      'ExecuteRunbookStep',
      'CompleteRunbook',
    ]);
    expect([...stage.s3.objects('evidence').keys()].filter((key) => key.startsWith('findings/'))).toEqual([
      expect.stringMatching(/^findings\/dt=2026-11-20\/SSH-002\/[0-9a-f]{64}\.json$/),
    ]);
    expect((await stage.control.get('finding', `SSH-002:${sessionName(1)}`))?.data.state).toBe('open');
    // Its stream is sealed whole: nothing waits for somebody else to complete it.
    expect(await stage.control.list('writer')).toEqual([]);
    expect(stage.metrics()).toContainEqual(['Findings', 1]);
  });

  it('does nothing when the same time is delivered again, and asks Athena nothing', async () => {
    const stage = await openStage();
    await stage.put(sessionsWithoutMfa(1, startMs));
    const request = stage.schedule();
    await stage.run(request);
    const before = [stage.athena.executions.length, stage.recorded().length];

    const again = await stage.run(request);

    expect(again).toEqual([{ runbookId: 'SSH-002', skipped: 'its time was looked at already' }]);
    expect([stage.athena.executions.length, stage.recorded().length]).toEqual(before);
  });

  it('finds, records and hands over once when it is delivered twice at the same moment', async () => {
    const stage = await openStage();
    await stage.put(sessionsWithoutMfa(3, startMs));
    const request = stage.schedule();

    await Promise.all([stage.run(request), stage.run(request)]);

    expect(names(stage.recorded()).filter((name) => name === 'DetectCondition')).toHaveLength(3);
    expect([...stage.executions.values()].map(({ findingKey }) => findingKey).sort()).toEqual(
      [1, 2, 3].map(sessionName).sort(),
    );
  });

  it('leaves no stream behind where there is nothing to say', async () => {
    const stage = await openStage();
    await stage.run(stage.schedule());
    const before = stage.s3.objects('journal').size;

    stage.clock.nowMs += minuteMs;
    await stage.run(stage.schedule());

    expect(names(stage.recorded())).toEqual(['CompleteRunbook']);
    expect(stage.s3.objects('journal').size).toBe(before);
  });

  it('looks at all since the last run where that is longer ago than the lookback', async () => {
    const stage = await openStage();
    await stage.run(stage.schedule());
    await stage.put(sessionsWithoutMfa(1, startMs + 10 * minuteMs));

    stage.clock.nowMs += 5 * 60 * minuteMs;
    const [summary] = await stage.run(stage.schedule());

    expect(summary).toMatchObject({ findings: 1 });
  });

  it('believes no time that is yet to come', async () => {
    const stage = await openStage();
    await stage.run(stage.schedule({ scheduledTime: '2099-01-01T00:00:00Z' }));
    await stage.put(sessionsWithoutMfa(1, startMs));

    stage.clock.nowMs += minuteMs;
    const [summary] = await stage.run(stage.schedule());

    expect(summary).toMatchObject({ findings: 1 });
  });

  it('hands over in dry-run mode too, to a dry run, and once', async () => {
    const stage = await openStage({ mode: 'dry-run' });
    await stage.put(sessionsWithoutMfa(1, startMs));
    await stage.run(stage.schedule());

    stage.clock.nowMs += 20 * minuteMs;
    await stage.run(stage.schedule());

    expect([...stage.executions.values()].map(({ dryRun }) => dryRun)).toEqual([true]);
    expect(stage.recorded()[0]?.requestParameters).toMatchObject({ mode: 'dry-run' });
  });

  it('takes the configuration of the moment: a runbook that is off does not run', async () => {
    const stage = await openStage({ mode: 'off' });
    await stage.put(sessionsWithoutMfa(1, startMs));

    const off = await stage.run(stage.schedule());
    await configure(stage.clients.ssm, 'auto');
    const on = await stage.run(stage.schedule());

    expect(off).toEqual([{ runbookId: 'SSH-002', skipped: 'it is switched off' }]);
    expect(on).toMatchObject([{ findings: 1 }]);
  });

  it('does not run by a configuration that cannot be used', async () => {
    const stage = await openStage();

    const failed = stage.run(stage.schedule(), {
      settings: () => Promise.reject(new Error('no such parameter')),
    });

    await expect(failed).rejects.toThrow('no such parameter');
    expect(stage.athena.executions).toEqual([]);
  });
});

describe('what goes wrong', () => {
  it('is on record and thrown where Athena does not run the query', async () => {
    const stage = await openStage();
    stage.aws.inject(({ service, operation }) =>
      service === 'athena' && operation === 'StartQueryExecution'
        ? { kind: 'answer', ...jsonError(400, 'InvalidRequestException', 'line 1:1: no such column') }
        : undefined,
    );

    await expect(stage.run(stage.schedule())).rejects.toMatchObject({ name: 'QueryError' });

    expect(stage.recorded()).toMatchObject([
      { eventName: 'CompleteRunbook', responseElements: { outcome: 'failed' } },
    ]);
    expect(stage.metrics()).toContainEqual(['RunFailed', 1]);
    expect(await stage.control.list('writer')).toEqual([]);
  });

  it('makes the next delivery of the same time run again', async () => {
    const stage = await openStage();
    await stage.put(sessionsWithoutMfa(1, startMs));
    const request = stage.schedule();
    const heal = stage.aws.inject(({ service }) =>
      service === 'athena'
        ? { kind: 'answer', ...jsonError(400, 'AccessDeniedException', 'not allowed') }
        : undefined,
    );
    await expect(stage.run(request)).rejects.toMatchObject({ code: 'denied' });

    heal();
    const again = await stage.run(request);

    expect(again).toMatchObject([{ findings: 1, handedOver: 1 }]);
  });

  it('leaves a finding open that no execution was started for, and starts one for it later', async () => {
    const stage = await openStage();
    await stage.put(sessionsWithoutMfa(2, startMs));
    stage.state.startFailure = new Error('too many executions are under way');
    await expect(stage.run(stage.schedule())).rejects.toMatchObject({ code: 'incomplete' });
    const counted = stage.metrics();

    stage.state.startFailure = undefined;
    stage.clock.nowMs += 2 * minuteMs;
    await stage.run(stage.schedule());

    expect(counted).toContainEqual(['HandOverFailed', 2]);
    expect(stage.executions.size).toBe(2);
    expect(names(stage.recorded()).filter((name) => name === 'DetectCondition')).toHaveLength(2);
  });

  it('starts another execution for a finding that nobody took the steps of, and not at once', async () => {
    const stage = await openStage();
    await stage.put(sessionsWithoutMfa(1, startMs));
    await stage.run(stage.schedule());
    stage.clock.nowMs += 2 * minuteMs;
    await stage.run(stage.schedule());
    const soon = stage.executions.size;

    stage.clock.nowMs += 5 * minuteMs;
    await stage.run(stage.schedule());

    expect([soon, stage.executions.size]).toEqual([1, 2]);
  });

  it.each([
    ['nothing', null],
    ['another kind', { kind: 'cron' }],
    [
      'a path for an id',
      { kind: 'schedule', runbookId: '../SSH-002', engine: 'athena', scheduledTime: '2026-11-20T12:00:00Z' },
    ],
    [
      'another engine',
      { kind: 'schedule', runbookId: 'SSH-002', engine: 'duckdb', scheduledTime: '2026-11-20T12:00:00Z' },
    ],
    ['no time', { kind: 'schedule', runbookId: 'SSH-002', engine: 'athena', scheduledTime: 'now' }],
    [
      'more fields',
      {
        kind: 'schedule',
        runbookId: 'SSH-002',
        engine: 'athena',
        scheduledTime: '2026-11-20T12:00:00Z',
        dryRun: false,
      },
    ],
    ['an event without a record', { 'detail-type': 'StartSession', detail: {} }],
    [
      'an event of two names',
      {
        'detail-type': 'StartSession',
        detail: {
          eventName: 'EndSession',
          eventTime: '2026-11-20T12:00:00Z',
          userIdentity: { type: 'IAMUser', principalId: 'p', userName: 'u' },
          additionalEventData: {},
        },
      },
    ],
  ])('refuses %s', async (_, input) => {
    const stage = await openStage();

    await expect(stage.run(input)).rejects.toMatchObject({ code: 'bad-request' });
    expect(stage.athena.executions).toEqual([]);
  });

  it('refuses a runbook that is not there', async () => {
    const stage = await openStage();

    await expect(stage.run(stage.schedule({ runbookId: 'SSH-999' }))).rejects.toMatchObject({
      code: 'runbooks',
    });
  });
});

describe('CloudTrail Lake', () => {
  it('is left out where it is off, with a metric, and Athena finds the same', async () => {
    const stage = await openStage();
    await stage.put(sessionsWithoutMfa(1, startMs));

    const summaries = await stage.run(stage.schedule({ engine: 'lake' }));

    expect(summaries).toMatchObject([{ engine: 'athena', findings: 1, handedOver: 1 }]);
    expect(stage.metrics()).toContainEqual(['LakeUnavailable', 1]);
    expect(stage.lines.some((line) => line.includes('CloudTrail Lake cannot be asked'))).toBe(true);
  });

  it('is left where it refuses the account, which is on record', async () => {
    const stage = await openStage();
    await stage.put(sessionsWithoutMfa(1, startMs));
    const eventDataStoreId = '11111111-2222-4333-8444-555555555555';
    const { CloudTrailClient } = await import('@aws-sdk/client-cloudtrail');
    const { createLakeEngine } = await import('../../../adapters/aws/index.ts');
    const { clientOptions } = await import('../../support/aws-endpoints.ts');
    const client = new CloudTrailClient(clientOptions(stage.aws.endpoint));
    const engine = createLakeEngine({ client, eventDataStoreId });

    const summaries = await stage.run(stage.schedule({ engine: 'lake' }), {
      lake: async () => ({ kind: 'there', engine, eventDataStoreId }),
    });

    client.destroy();
    expect(summaries).toMatchObject([{ engine: 'athena', findings: 1 }]);
    expect(stage.recorded()[0]).toMatchObject({
      eventName: 'CompleteRunbook',
      responseElements: { outcome: 'failed', detail: expect.stringContaining('closed to this account') },
    });
    expect(stage.metrics()).toContainEqual(['LakeUnavailable', 1]);
  });
});

describe('an event', () => {
  function started(nowMs: number, fields: Readonly<Record<string, unknown>> = {}) {
    const [record] = givenRecords(
      [
        {
          agoMs: 1_000,
          repeat: 1,
          everyMs: 0,
          eventName: 'StartSession',
          fields: { session: 's1', principal: 'user1', mfa: false, ...fields },
        },
      ],
      nowMs,
    );
    if (record === undefined) throw new Error('no record');
    return {
      record,
      event: {
        version: '0',
        id: '00000000-0000-4000-8000-000000000000',
        source: 'sshtrail',
        account: '123456789012',
        time: record.eventTime,
        region: 'eu-central-1',
        resources: [],
        'detail-type': record.eventName,
        detail: record,
      },
    };
  }

  it('runs the runbooks that wait for it, after their delay, and no other', async () => {
    const stage = await openStage();
    const { record, event } = started(startMs);
    await stage.put([record]);

    const summaries = await stage.run(event);

    expect(stage.clock.nowMs).toBe(startMs + 2_000);
    expect(summaries).toEqual([
      { runbookId: 'SSH-002', engine: 'athena', mode: 'auto', findings: 1, handedOver: 1 },
    ]);
    expect(stage.recorded()[0]?.requestParameters).toMatchObject({ trigger: 'event' });
  });

  it('finds once what it is delivered for twice, at once or later', async () => {
    const stage = await openStage();
    const { record, event } = started(startMs);
    await stage.put([record]);

    await Promise.all([stage.run(event), stage.run(event)]);
    await stage.run(event);

    expect(stage.executions.size).toBe(1);
    expect(names(stage.recorded()).filter((name) => name === 'DetectCondition')).toHaveLength(1);
  });

  it('is passed over where a run has looked past it, so that a burst costs few queries', async () => {
    const stage = await openStage();
    const { record, event } = started(startMs);
    await stage.put([record]);
    stage.clock.nowMs += 40_000;
    await stage.run(event);

    const second = await stage.run(event);

    expect(second).toEqual([{ runbookId: 'SSH-002', skipped: 'another run has seen the event' }]);
    expect(stage.athena.executions).toHaveLength(1);
  });

  it('does not keep the clock from running the runbook', async () => {
    const stage = await openStage();
    const { event } = started(startMs);
    await stage.run(event);

    const [summary] = await stage.run(stage.schedule({ scheduledTime: new Date(startMs).toISOString() }));

    expect(summary).toMatchObject({ findings: 0 });
  });

  it('of a runbook starts none', async () => {
    const stage = await openStage();
    const { event } = started(startMs);
    const userIdentity = {
      type: 'ServiceIdentity',
      principalId: 'runbook/SSH-001',
      userName: 'runbook/SSH-001',
    };

    const summaries = await stage.run({ ...event, detail: { ...event.detail, userIdentity } });

    expect(summaries).toEqual([]);
  });

  it('that was too large for the bus starts the run all the same', async () => {
    const stage = await openStage();
    const { record, event } = started(startMs);
    await stage.put([record]);
    const { eventID, eventTime, eventName, eventSource, userIdentity } = record;

    const summaries = await stage.run({
      ...event,
      detail: {
        eventID,
        eventTime,
        eventName,
        eventSource,
        userIdentity,
        additionalEventData: { truncated: 'true' },
      },
    });

    expect(summaries).toMatchObject([{ findings: 1 }]);
  });
});
