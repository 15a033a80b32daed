import { randomBytes } from 'node:crypto';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { detectCondition } from '../../../core/event/index.ts';
import { closing, createCount, createLog, startInvocation } from '../../../lambdas/shared/index.ts';
import { journalSinks } from '../../../lambdas/shared/journal-sinks.ts';
import { createLazyJournal } from '../../../lambdas/shared/lazy-journal.ts';
import { fakeJournal, memoryControlStore } from '../../core/runbook/fakes.ts';
import { startFakeAws } from '../../fakes/aws/fake-aws.ts';
import { fakeSsmParameters } from '../../fakes/aws/ssm-parameters.ts';
import { clientOptions } from '../../support/aws-endpoints.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const now = () => nowMs;
const draft = detectCondition({ runbookId: 'SSH-002', runId: 'r-1', mode: 'live', trigger: 'event' }, nowMs, {
  key: 'x',
  title: 'x',
  severity: 'low',
  columns: {},
});
const log = createLog(() => undefined, { function: 'act', requestId: 'r-1', now });

function memoryBlobs() {
  const objects = new Map<string, Buffer>();
  return {
    objects,
    putIfAbsent: async (key: string, bytes: Uint8Array) => {
      if (objects.has(key)) return 'exists' as const;
      objects.set(key, Buffer.from(bytes));
      return 'stored' as const;
    },
    get: async (key: string) => objects.get(key),
    getRange: async (key: string, offset: number, length: number) =>
      objects.get(key)?.subarray(offset, offset + length),
    async *list(prefix: string) {
      for (const [key, { length: size }] of [...objects].sort(([one], [other]) => (one < other ? -1 : 1)))
        if (key.startsWith(prefix)) yield { key, size };
    },
    remove: async (keys: readonly string[]) => {
      for (const key of keys) objects.delete(key);
    },
  };
}

function invocation() {
  const evidence = memoryBlobs();
  const journal = memoryBlobs();
  const control = memoryControlStore({ nowMs });
  const asked = { sinks: 0 };
  const opened = startInvocation({
    stores: {
      control,
      evidence,
      journal,
      remover: journal,
      sinks: async () => {
        asked.sinks += 1;
        return [];
      },
    },
    origin: {
      eventSource: 'ssh-proxy.example.com',
      awsRegion: 'eu-central-1',
      recipientAccountId: '123456789012',
    },
    functionName: 'act',
    log,
    now,
    randomBytes,
  });
  return { opened, evidence, journal, control, asked };
}

describe('an invocation', () => {
  it('leaves nothing behind where nothing was recorded', async () => {
    const { opened, evidence, journal, control, asked } = invocation();

    await opened.close();

    expect([evidence.objects.size, journal.objects.size, await control.list('writer'), asked.sinks]).toEqual([
      0,
      0,
      [],
      0,
    ]);
  });

  it('records to one stream of its own, which is sealed when it is closed', async () => {
    const { opened, evidence, control } = invocation();
    const seen: string[] = [];
    opened.journal.subscribe(({ eventName }) => void seen.push(eventName));

    await Promise.all([opened.journal.record(draft), opened.journal.record(draft)]);
    const writers = await control.list('writer');
    await opened.close();

    expect(writers.map(({ data }) => data.role)).toEqual(['function']);
    expect([...evidence.objects.keys()]).toEqual([
      expect.stringMatching(/^events\/dt=2026-11-20\/act-[0-9a-f]{16}\/000000000001\.ndjson\.gz$/),
    ]);
    expect(await control.list('writer')).toEqual([]);
    expect(seen).toEqual(['DetectCondition', 'DetectCondition']);
  });

  it('takes no record once it is closed', async () => {
    const { opened } = invocation();
    await opened.close();

    await expect(opened.journal.record(draft)).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('a journal that is opened late', () => {
  it('says to everybody who records that it could not be opened, and closes all the same', async () => {
    let opens = 0;
    const journal = createLazyJournal(async () => {
      opens += 1;
      throw new Error('the bucket is gone');
    });

    await expect(journal.record(draft)).rejects.toThrow('the bucket is gone');
    await expect(journal.record(draft)).rejects.toThrow('the bucket is gone');
    await journal.close();

    expect(opens).toBe(1);
  });

  it('waits at its end for an opening that is under way', async () => {
    let closed = 0;
    const inner = { ...fakeJournal(), close: async () => void (closed += 1) };
    const journal = createLazyJournal(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return inner;
    });

    const recorded = journal.record(draft);
    await Promise.all([journal.close(), journal.close()]);
    await recorded;

    expect([closed, inner.drafts.length]).toEqual([1, 1]);
  });
});

describe('the end of an invocation', () => {
  const failing = { close: () => Promise.reject(new Error('not sealed')) };

  it('is a failure where it could not be sealed', async () => {
    const { opened } = invocation();

    await expect(closing({ ...opened, ...failing }, log, async () => 'done')).rejects.toThrow('not sealed');
  });

  it('hides no failure of the work', async () => {
    const { opened } = invocation();

    await expect(
      closing({ ...opened, ...failing }, log, () => Promise.reject(new Error('not done'))),
    ).rejects.toThrow('not done');
  });
});

describe('where records go after the evidence bucket', () => {
  const parameter = '/sshtrail/sshtrail/lake/channel-arn';

  async function sinks(value: string | undefined, lakeChannelParameter = parameter) {
    const aws = await startFakeAws({ services: [fakeSsmParameters()] });
    onTestFinished(() => aws.close());
    const ssm = new SSMClient(clientOptions(aws.endpoint));
    const eventBridge = new EventBridgeClient(clientOptions(aws.endpoint));
    onTestFinished(() => {
      ssm.destroy();
      eventBridge.destroy();
    });
    if (value !== undefined)
      await ssm.send(new PutParameterCommand({ Name: parameter, Value: value, Type: 'String' }));
    const found = await journalSinks({
      eventBridge,
      ssm,
      credentials: async () => clientOptions('').credentials,
      bus: 'sshtrail',
      lakeChannelParameter,
      account: '123456789012',
      region: 'eu-central-1',
      fetch,
      log,
      count: createCount(() => undefined, { function: 'act', now }),
      now,
    });
    return found.map(({ name }) => name);
  }

  it.each([
    ['the bus alone where Lake is closed to the account', 'unavailable', parameter, ['event-bus']],
    ['the bus alone where there is no channel yet', undefined, parameter, ['event-bus']],
    ['the bus alone where Lake is off', undefined, '', ['event-bus']],
    [
      'CloudTrail Lake too where it has a channel',
      'arn:aws:cloudtrail:eu-central-1:123456789012:channel/11111111-2222-4333-8444-555555555555',
      parameter,
      ['event-bus', 'cloudtrail-lake'],
    ],
  ])('is %s', async (_, value, name, expected) => {
    expect(await sinks(value, name)).toEqual(expected);
  });
});
