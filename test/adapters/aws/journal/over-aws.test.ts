import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  createDynamoControlStore,
  createObjectSpool,
  createS3BlobRemover,
  createS3BlobStore,
  verifyObjectLake,
} from '#adapters/aws';
import { fakeDynamoDb } from '../../../fakes/aws/dynamodb.ts';
import { createControlTable, dynamoClient } from '../../../fakes/aws/dynamodb-control-table.ts';
import { type FakeRequest, type Fault, startFakeAws } from '../../../fakes/aws/fake-aws.ts';
import { fakeS3 } from '../../../fakes/aws/s3.ts';
import { awsEndpoints, clientOptions } from '../../../support/aws-endpoints.ts';
import {
  atMs,
  codeOf,
  command,
  journalOver,
  keepingSink,
  numbers,
  seal,
  session,
  sessionStart,
  shellOpened,
  started,
} from './sample-stream.ts';

const one = session('1');
const header = '{"version":3,"term":{"cols":80,"rows":24},"timestamp":1795169730}\n';
const slowDown: Fault = {
  kind: 'answer',
  status: 503,
  headers: { 'content-type': 'application/xml' },
  body: '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
};

/** Buckets and a table of the test's own; stores over them, by way of an endpoint that may break calls. */
async function place(endpoint: string) {
  const { table } = await createControlTable(endpoint);
  const buckets = { journal: `journal-${randomUUID()}`, evidence: `evidence-${randomUUID()}` };
  const s3 = new S3Client({ ...clientOptions(endpoint), forcePathStyle: true });
  for (const Bucket of Object.values(buckets))
    await s3.send(
      new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }),
    );
  return {
    over(by: string) {
      const client = new S3Client({ ...clientOptions(by), forcePathStyle: true });
      const limits = { deadlineMs: 3000, attemptMs: 500 };
      const control = createDynamoControlStore({ client: dynamoClient(by), table, now: () => atMs });
      onTestFinished(() => control.close());
      return {
        journal: createS3BlobStore({ client, bucket: buckets.journal, limits }),
        remover: createS3BlobRemover({ client, bucket: buckets.journal }),
        evidence: createS3BlobStore({ client, bucket: buckets.evidence, limits }),
        control,
      };
    },
  };
}

async function faulty(endpoint: string, fault: (request: FakeRequest, call: number) => Fault | undefined) {
  const front = await startFakeAws({ services: [], upstream: endpoint });
  onTestFinished(() => front.close());
  let calls = 0;
  front.inject((request) => {
    if (request.service !== 's3') return undefined;
    calls += 1;
    return fault(request, calls);
  });
  return front.endpoint;
}

describe.each(await awsEndpoints(fakeS3(), fakeDynamoDb()))('over $name', ({ endpoint }) => {
  test('a gateway that dies is sealed: sessions, recording, sinks, and nothing is left', async () => {
    const { over } = await place(endpoint);
    const stores = over(endpoint);
    const sink = keepingSink();
    const journal = await journalOver(stores, { sealAfterBytes: 4000, sinks: [sink] });
    const drafts = [started, sessionStart(one), shellOpened(one), command('a', one), command('b', one)];
    const acknowledged = [];
    for (const draft of drafts) acknowledged.push(await journal.record(draft));
    const spool = createObjectSpool({ ...stores, flushMs: 1, now: () => performance.now() });
    const head = {
      sessionId: one,
      channel: 'c1',
      kind: 'shell',
      startedAtMs: atMs,
      columns: 80,
      rows: 24,
    } as const;
    await spool.begin({ ...head, term: 'xterm' });
    await spool.append(head, 0, Buffer.from(`${header}[1.000, "o", "a"]\n`));
    await expect
      .poll(() => Array.fromAsync(stores.journal.list('spool/')), { timeout: 5000 })
      .toHaveLength(2);

    const report = await seal(over(endpoint), { sinks: [sink] });

    expect(report).toMatchObject({ outcome: 'sealed', lostSessions: 1, recordings: 1, losses: 0 });
    const verification = await verifyObjectLake(stores.evidence, {
      journal: stores.journal,
      liveSessions: new Set(),
    });
    expect(verification).toMatchObject({
      ok: true,
      streams: [{ records: 7 }],
      sessions: { started: 1, ended: 1 },
      recordings: { stored: 1, intact: 1 },
    });
    expect([...new Set(numbers(sink.records))]).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await stores.control.list('writer')).toEqual([]);
    expect(await Array.fromAsync(stores.journal.list('spool/'))).toEqual([]);
    await expect(journal.record(command('late'))).rejects.toMatchObject({ code: 'fenced' });
  });

  test.each<readonly [string, (request: FakeRequest, call: number) => Fault | undefined]>([
    ['is throttled', (_request, call) => (call % 3 === 1 ? slowDown : undefined)],
    ['is slow', (_request, call) => (call % 3 === 0 ? { kind: 'delay', ms: 40 } : undefined)],
    ['hangs now and then', (_request, call) => (call % 7 === 3 ? { kind: 'delay', ms: 1000 } : undefined)],
    ['breaks connections', (_request, call) => (call % 3 === 2 ? { kind: 'reset' } : undefined)],
    [
      'loses the answers to puts that took effect',
      (request, call) => (request.method === 'PUT' && call % 2 === 0 ? { kind: 'lose-answer' } : undefined),
    ],
  ])('nothing is lost and nothing doubled where S3 %s', async (_name, fault) => {
    const { over } = await place(endpoint);
    const journal = await journalOver(over(await faulty(endpoint, fault)), { sealAfterBytes: 4000 });
    for (let i = 0; i < 4; i += 1)
      await Promise.all([0, 1, 2].map((n) => journal.record(command(`echo ${i} ${n}`))));

    await journal.close();

    const { evidence, control } = over(endpoint);
    expect(await verifyObjectLake(evidence, { liveSessions: new Set() })).toMatchObject({
      ok: true,
      streams: [{ records: 12 }],
    });
    expect(await control.list('writer')).toEqual([]);
  });

  test('the journal stops where S3 denies, and says which right is missing', async () => {
    const { over } = await place(endpoint);
    const denied: Fault = {
      kind: 'answer',
      status: 403,
      headers: { 'content-type': 'application/xml' },
      body: '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>',
    };
    const faults: Error[] = [];
    const by = await faulty(endpoint, ({ method }) => (method === 'PUT' ? denied : undefined));
    const journal = await journalOver(over(by), { onFault: (error) => faults.push(error) });

    await expect(journal.record(command('a'))).rejects.toMatchObject({ code: 'unwritable' });

    expect(faults.map(codeOf)).toEqual(['unwritable']);
    expect(faults[0]?.message).toContain('s3:PutObject');
  });
});
