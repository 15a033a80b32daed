import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createS3BlobRemover, createS3BlobStore } from '../../../../adapters/aws/s3/index.ts';
import { blobStoreConformance } from '../../../conformance/blob-store.ts';
import { type FakeRequest, type Fault, startFakeAws } from '../../../fakes/aws/fake-aws.ts';
import { fakeS3 } from '../../../fakes/aws/s3.ts';
import { awsEndpoints, clientOptions } from '../../../support/aws-endpoints.ts';

const endpoints = await awsEndpoints(fakeS3());

async function newBucket(endpoint: string) {
  const client = new S3Client({ ...clientOptions(endpoint), forcePathStyle: true });
  const bucket = `b-${randomUUID()}`;
  await client.send(
    new CreateBucketCommand({
      Bucket: bucket,
      CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' },
    }),
  );
  return { client, bucket };
}

for (const { name, endpoint } of endpoints) {
  blobStoreConformance(`S3 on ${name}`, async () => createS3BlobStore(await newBucket(endpoint)));

  describe(`S3 on ${name}`, () => {
    it('lists thousands of objects over its pages, in order', async () => {
      const place = await newBucket(endpoint);
      const store = createS3BlobStore(place);
      const keys = Array.from({ length: 1_100 }, (_, index) => `k/${String(index).padStart(5, '0')}`);
      for (let from = 0; from < keys.length; from += 100)
        await Promise.all(
          keys.slice(from, from + 100).map((key) => store.putIfAbsent(key, Buffer.from('x'))),
        );

      const listed = await Array.fromAsync(store.list('k/'));

      expect(listed.map(({ key }) => key)).toEqual(keys);
    });

    it.each(['a b+c', 'ä/\u{1f600}', '100%25', "it's <a> & b", 'dt=2026-11-20/x.ndjson.gz'])(
      'keeps the key %j as it is',
      async (key) => {
        const store = createS3BlobStore(await newBucket(endpoint));

        await store.putIfAbsent(key, Buffer.from('x'));

        expect((await store.get(key))?.toString()).toBe('x');
        expect((await Array.fromAsync(store.list(''))).map((entry) => entry.key)).toEqual([key]);
      },
    );

    it('removes what it is told, and does not mind what is not there', async () => {
      const place = await newBucket(endpoint);
      const store = createS3BlobStore(place);
      for (const key of ['a', 'b', 'c & d']) await store.putIfAbsent(key, Buffer.from(key));

      await createS3BlobRemover(place).remove(['a', 'c & d', 'never there']);

      expect((await Array.fromAsync(store.list(''))).map((entry) => entry.key)).toEqual(['b']);
    });
  });
}

const limits = { deadlineMs: 4_000, attemptMs: 500 };

/** A bucket on a fake of its own that fails as told. */
async function faulty(fault: (request: FakeRequest, call: number) => Fault | undefined) {
  const s3 = fakeS3({ buckets: ['bucket'] });
  const aws = await startFakeAws({ services: [s3] });
  onTestFinished(() => aws.close());
  let call = 0;
  aws.inject((request) => fault(request, (call += 1)));
  const client = new S3Client({ ...clientOptions(aws.endpoint), forcePathStyle: true });
  return { s3, aws, client, store: createS3BlobStore({ client, bucket: 'bucket', limits }) };
}

const slowDown: Fault = {
  kind: 'answer',
  status: 503,
  headers: { 'content-type': 'application/xml' },
  body: '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
};

describe('S3 when it fails', () => {
  it.each<[string, Fault]>([
    ['throttles', slowDown],
    ['resets the connection', { kind: 'reset' }],
    ['hangs', { kind: 'delay', ms: 700 }],
    ['fails inside', { kind: 'answer', status: 500, body: '<Error><Code>InternalError</Code></Error>' }],
    ['answers with no XML', { kind: 'answer', status: 502, body: 'Bad Gateway' }],
  ])('stores all the same when S3 %s for a while', async (_name, fault) => {
    const { store, s3 } = await faulty((_request, call) => (call <= 2 ? fault : undefined));

    expect(await store.putIfAbsent('key', Buffer.from('bytes'))).toBe('stored');

    expect(s3.objects('bucket').get('key')?.body.toString()).toBe('bytes');
  });

  it('says what to do when it goes on, in time, and has stored nothing', async () => {
    const { store, s3 } = await faulty(() => slowDown);

    await expect(store.putIfAbsent('key', Buffer.from('x'))).rejects.toMatchObject({
      code: 'unwritable',
      message: expect.stringContaining('SlowDown'),
    });

    expect(s3.objects('bucket').size).toBe(0);
  });

  it('knows its own object again when the answer to the put was lost', async () => {
    const { store } = await faulty((_request, call) => (call === 1 ? { kind: 'lose-answer' } : undefined));

    expect(await store.putIfAbsent('key', Buffer.from('mine'))).toBe('stored');
  });

  it("does not take another's object for its own when its connection broke", async () => {
    const { store, client } = await faulty((request, call) =>
      call === 2 && request.method === 'PUT' ? { kind: 'reset' } : undefined,
    );
    await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'key', Body: 'theirs' }));

    expect(await store.putIfAbsent('key', Buffer.from('mine'))).toBe('exists');
  });

  it('tries again when another conditional put is under way', async () => {
    const conflict: Fault = {
      kind: 'answer',
      status: 409,
      headers: { 'content-type': 'application/xml' },
      body: '<Error><Code>ConditionalRequestConflict</Code><Message>try again</Message></Error>',
    };
    const { store } = await faulty((_request, call) => (call === 1 ? conflict : undefined));

    expect(await store.putIfAbsent('key', Buffer.from('x'))).toBe('stored');
  });

  it('names the right that is missing, at once', async () => {
    const { store, aws } = await faulty(() => ({
      kind: 'answer',
      status: 403,
      headers: { 'content-type': 'application/xml' },
      body: '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>',
    }));

    await expect(store.putIfAbsent('key', Buffer.from('x'))).rejects.toThrow('s3:PutObject');
    await expect(store.get('key')).rejects.toThrow('s3:GetObject');
    await expect(Array.fromAsync(store.list(''))).rejects.toThrow('s3:ListBucket');
    expect(aws.calls).toHaveLength(3);
  });

  it('refuses an object whose bytes are not those of its checksum', async () => {
    const { store, s3 } = await faulty(() => undefined);
    await store.putIfAbsent('key', Buffer.from('bytes'));
    const object = s3.objects('bucket').get('key');
    object?.body.write('X');

    await expect(store.get('key')).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('sends a checksum that S3 verifies', async () => {
    const { store, s3 } = await faulty(() => undefined);

    await store.putIfAbsent('key', Buffer.from('bytes'));

    expect(s3.objects('bucket').get('key')?.headers['x-amz-checksum-sha256']).toMatch(/^[\w+/]{43}=$/);
  });
});
