import { randomUUID } from 'node:crypto';
import type { FakeRequest, FakeResponse, FakeService } from './fake-aws.ts';

export type PublishedMessage = {
  readonly topicArn: string;
  readonly subject: string | undefined;
  readonly message: string;
  /** String attributes by name. */
  readonly attributes: Readonly<Record<string, string>>;
};

export type FakeSns = FakeService & {
  /** In order. */
  readonly published: readonly PublishedMessage[];
};

const maxBytes = 256 * 1024;

/** Topics and what is published to them (SNS's Query protocol); topics of `topics` are there from the start. */
export function fakeSns(
  options: { readonly account?: string; readonly topics?: readonly string[] } = {},
): FakeSns {
  const { account = '123456789012' } = options;
  const topics = new Set(options.topics ?? []);
  const published: PublishedMessage[] = [];

  function create(form: URLSearchParams, region: string): FakeResponse {
    const name = form.get('Name') ?? '';
    if (!/^[A-Za-z0-9_-]{1,256}$/.test(name))
      return snsRefusal('InvalidParameter', 'Invalid parameter: Topic Name');
    const arn = `arn:aws:sns:${region}:${account}:${name}`;
    topics.add(arn);
    return answer('CreateTopic', `<TopicArn>${arn}</TopicArn>`);
  }

  function publish(form: URLSearchParams): FakeResponse {
    const topicArn = form.get('TopicArn') ?? '';
    const subject = form.get('Subject') ?? undefined;
    const message = form.get('Message') ?? '';
    const attributes = attributesOf(form);
    if (!/^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$/.test(topicArn))
      return snsRefusal('InvalidParameter', 'Invalid parameter: TopicArn');
    if (!topics.has(topicArn)) return snsRefusal('NotFound', 'Topic does not exist', 404);
    if (subject !== undefined && (!/^[\x20-\x7e]{1,100}$/.test(subject) || !/^[!-~]/.test(subject)))
      return snsRefusal('InvalidParameter', 'Invalid parameter: Subject');
    if (message === '') return snsRefusal('InvalidParameter', 'Invalid parameter: Empty message');
    if (attributes === undefined)
      return snsRefusal('ParameterValueInvalid', 'The message attribute must contain a value and a type.');
    const bytes = Object.entries(attributes).reduce(
      (sum, [name, value]) => sum + Buffer.byteLength(name) + 'String'.length + Buffer.byteLength(value),
      Buffer.byteLength(message) + Buffer.byteLength(subject ?? ''),
    );
    if (bytes > maxBytes) return snsRefusal('InvalidParameter', 'Invalid parameter: Message too long');
    published.push({ topicArn, subject, message, attributes });
    return answer('Publish', `<MessageId>${randomUUID()}</MessageId>`);
  }

  return {
    service: 'sns',
    published,
    handle({ body, region }: FakeRequest) {
      const form = new URLSearchParams(body.toString('utf8'));
      switch (form.get('Action')) {
        case 'CreateTopic':
          return create(form, region);
        case 'Publish':
          return publish(form);
        default:
          return undefined;
      }
    },
  };
}

/** Undefined where one lacks a type that is known here, or a value. */
function attributesOf(form: URLSearchParams): Readonly<Record<string, string>> | undefined {
  const attributes: Record<string, string> = {};
  for (let index = 1; ; index += 1) {
    const prefix = `MessageAttributes.entry.${index}`;
    const name = form.get(`${prefix}.Name`);
    if (name === null) return attributes;
    const value = form.get(`${prefix}.Value.StringValue`) ?? '';
    const valid =
      /^[A-Za-z0-9_.-]{1,256}$/.test(name) &&
      form.get(`${prefix}.Value.DataType`) === 'String' &&
      value !== '' &&
      !(name in attributes);
    if (!valid) return undefined;
    attributes[name] = value;
  }
}

function answer(operation: string, content: string): FakeResponse {
  return {
    status: 200,
    headers: { 'content-type': 'text/xml' },
    body: `<${operation}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><${operation}Result>${content}</${operation}Result><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></${operation}Response>`,
  };
}

/** An error as SNS writes it. */
export function snsRefusal(code: string, message: string, status = 400): FakeResponse {
  return {
    status,
    headers: { 'content-type': 'text/xml' },
    body: `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>${status < 500 ? 'Sender' : 'Receiver'}</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`,
  };
}
