import { randomUUID } from 'node:crypto';

export type MotoQueue = {
  readonly arn: string;
  /** Bodies of the messages so far, which are gone from the queue then. */
  receive(): Promise<readonly string[]>;
};

/** A queue of moto, to see by what a topic or a bus gives to others. moto looks at no signature. */
export async function motoQueue(endpoint: string): Promise<MotoQueue> {
  const call = async (operation: string, input: object): Promise<Record<string, unknown>> => {
    const answer = await fetch(endpoint, {
      method: 'POST',
      headers: {
        authorization:
          'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270101/eu-central-1/sqs/aws4_request, SignedHeaders=host, Signature=0',
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `AmazonSQS.${operation}`,
      },
      body: JSON.stringify(input),
    });
    if (!answer.ok) throw new Error(`${operation}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Record<string, unknown>;
  };
  const { QueueUrl } = await call('CreateQueue', { QueueName: `q-${randomUUID()}` });
  const { Attributes } = await call('GetQueueAttributes', { QueueUrl, AttributeNames: ['QueueArn'] });
  return {
    arn: (Attributes as { QueueArn: string }).QueueArn,
    async receive() {
      const bodies: string[] = [];
      for (;;) {
        const { Messages = [] } = await call('ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10 });
        const messages = Messages as { Body: string; ReceiptHandle: string }[];
        if (messages.length === 0) return bodies;
        for (const { Body, ReceiptHandle } of messages) {
          bodies.push(Body);
          await call('DeleteMessage', { QueueUrl, ReceiptHandle });
        }
      }
    },
  };
}
