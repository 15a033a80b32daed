import { randomUUID } from 'node:crypto';
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSnsNotifier } from '../../../../adapters/aws/notices/index.ts';
import type { Notice } from '../../../../core/contract/index.ts';
import { startFakeAws } from '../../../fakes/aws/fake-aws.ts';
import { fakeSns, snsRefusal } from '../../../fakes/aws/sns.ts';
import { awsEndpoints, clientOptions } from '../../../support/aws-endpoints.ts';
import { motoQueue } from './moto-queue.ts';

const sns = fakeSns();
const endpoints = await awsEndpoints(sns);
const fake = endpoints[0]?.endpoint ?? '';
const notice: Notice = {
  severity: 'high',
  title: 'SSH-002: a session without a second factor',
  text: 'engineer came from 192.0.2.7\nand stays',
  runbookId: 'SSH-002',
  findingKey: 's-1',
};

type Received = {
  readonly subject: string | undefined;
  readonly message: string;
  readonly attributes: Readonly<Record<string, string>>;
};

/** A notifier of a topic of its own, what the topic passed on, and a way to break calls. */
async function opened(endpoint = fake) {
  const front = await startFakeAws({ services: [], upstream: endpoint });
  onTestFinished(() => front.close());
  const client = new SNSClient(clientOptions(front.endpoint));
  onTestFinished(() => client.destroy());
  const { TopicArn: topicArn = '' } = await client.send(
    new CreateTopicCommand({ Name: `t-${randomUUID()}` }),
  );
  const queue = endpoint === fake ? undefined : await motoQueue(endpoint);
  if (queue !== undefined)
    await client.send(new SubscribeCommand({ TopicArn: topicArn, Protocol: 'sqs', Endpoint: queue.arn }));
  const received = async (): Promise<readonly Received[]> =>
    queue === undefined
      ? sns.published.filter((message) => message.topicArn === topicArn)
      : (await queue.receive()).map(receivedOf);
  return {
    notifier: createSnsNotifier({ client, topicArn, deployment: 'sshtrail' }),
    client,
    front,
    received,
  };
}

describe.each(endpoints)('over $name', ({ endpoint }) => {
  it('publishes what people read, and attributes to filter by', async () => {
    const { notifier, received } = await opened(endpoint);

    await notifier.notify(notice);

    expect(await received()).toMatchObject([
      {
        subject: '[sshtrail] high: SSH-002: a session without a second factor',
        message:
          'SSH-002: a session without a second factor\n\nengineer came from 192.0.2.7\nand stays\n\n' +
          'deployment: sshtrail\nseverity: high\nrunbook: SSH-002\nfinding: s-1\n',
        attributes: { severity: 'high', runbookId: 'SSH-002' },
      },
    ]);
  });

  it('publishes a notice of nothing but severity, title and text', async () => {
    const { notifier, received } = await opened(endpoint);

    await notifier.notify({ severity: 'info', title: 'hello', text: '' });

    expect(await received()).toMatchObject([
      { subject: '[sshtrail] info: hello', attributes: { severity: 'info' } },
    ]);
  });

  it('keeps a long, foreign title to a subject that SNS takes, and all of it in the text', async () => {
    const { notifier, received } = await opened(endpoint);
    const title = `Überfall\r\nBcc: everyone@example.com ${'x'.repeat(200)}`;

    await notifier.notify({ ...notice, title });

    const [message] = await received();
    expect(message?.subject).toMatch(/^\[sshtrail\] high: \?berfall\?\?Bcc: everyone@example\.com x+\.\.\.$/);
    expect(message?.subject).toHaveLength(100);
    expect(message?.message.split('\n')[0]).toContain('Überfall\\u{d}\\u{a}Bcc: everyone@example.com x');
    expect(message?.message).toContain('x'.repeat(200));
  });

  it('cuts a text that is too long between two characters, and says so', async () => {
    const { notifier, received } = await opened(endpoint);

    await notifier.notify({ ...notice, text: 'ä€'.repeat(100_000) });

    const [message] = await received();
    expect(Buffer.byteLength(message?.message ?? '')).toBeLessThanOrEqual(200 * 1024);
    expect(message?.message).toMatch(
      /[ä€]\n\(cut off here; the finding has all of it\)\n\ndeployment: sshtrail\n/,
    );
    expect(message?.message).not.toContain('\ufffd');
  });

  it('says that there is no such topic', async () => {
    const { client } = await opened(endpoint);
    const topicArn = 'arn:aws:sns:eu-central-1:123456789012:nothing-here';
    const notifier = createSnsNotifier({ client, topicArn, deployment: 'sshtrail' });

    const publishing = notifier.notify(notice);

    await expect(publishing).rejects.toMatchObject({ name: 'NoticeError', code: 'not-published' });
    await expect(publishing).rejects.toThrow(new RegExp(`${topicArn}: NotFound`));
  });
});

describe('createSnsNotifier', () => {
  it('shows what was typed instead of doing it', async () => {
    const { notifier, received } = await opened();
    const text = 'a\u001b[2Jb\rc\u202ed\u2028e\u0000f\ud800g\r\nh';

    await notifier.notify({ ...notice, text });

    const [message] = await received();
    expect(message?.message).toContain('a\\u{1b}[2Jb\\u{d}c\\u{202e}d\\u{2028}e\\u{0}f\\u{d800}g\nh\n');
  });

  it('lets no text pass for the lines of facts below it, whose order is fixed and which come last', async () => {
    const { notifier, received } = await opened();

    await notifier.notify({ ...notice, text: 'x\nseverity: info', findingKey: 'k\nseverity: info' });

    const [message] = await received();
    expect(message?.message).toMatch(
      /\n\ndeployment: sshtrail\nseverity: high\nrunbook: SSH-002\nfinding: k\\u\{a\}severity: info\n$/,
    );
  });

  it('publishes whatever a notice says', async () => {
    const { notifier } = await opened();
    const words = fc.string({ unit: 'binary', maxLength: 300 });

    await fc.assert(
      fc.asyncProperty(words, words, words, words, async (title, text, runbookId, findingKey) => {
        await notifier.notify({ severity: 'critical', title, text, runbookId, findingKey });
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['a throttled call', { kind: 'answer', ...snsRefusal('Throttling', 'Rate exceeded') }],
    ['a fault of SNS', { kind: 'answer', ...snsRefusal('InternalError', 'later', 500) }],
    ['a throttled key of the topic', { kind: 'answer', ...snsRefusal('KMSThrottling', 'later') }],
    ['a broken connection', { kind: 'reset' }],
  ] as const)('tries again after %s', async (_name, fault) => {
    const { notifier, front, received } = await opened();
    let left = 2;
    front.inject(() => (left-- > 0 ? fault : undefined));

    await notifier.notify(notice);

    expect(await received()).toHaveLength(1);
  });

  it('asks once where the right is missing, and names it', async () => {
    const { notifier, front } = await opened();
    front.inject(() => ({ kind: 'answer', ...snsRefusal('AuthorizationError', 'no', 403) }));
    const before = front.calls.length;

    await expect(notifier.notify(notice)).rejects.toThrow(/the role here lacks sns:Publish/);

    expect(front.calls.length).toBe(before + 1);
  });
});

/** What SNS puts into a queue. */
function receivedOf(body: string): Received {
  const { Subject, Message, MessageAttributes } = JSON.parse(body) as {
    Subject?: string;
    Message: string;
    MessageAttributes: Record<string, { Value: string }>;
  };
  return {
    subject: Subject,
    message: Message,
    attributes: Object.fromEntries(
      Object.entries(MessageAttributes).map(([name, { Value }]) => [name, Value]),
    ),
  };
}
