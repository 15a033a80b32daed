import { expect, test } from 'vitest';
import { streamName } from '#core/contract';
import { type Digest, digestHead, digestKeyOf, isSignedBy, parseDigest, resumeDigests } from '#core/digest';
import { digestStream, memoryBlobs, newSigner, sampleOptions, segments } from './sample-digests.ts';

function digestsOf({ objects }: { readonly objects: ReadonlyMap<string, Buffer> }): readonly Digest[] {
  return [...objects.entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, bytes]) => parseDigest(bytes));
}

test('digests follow on each other and cover what was sealed, also nothing', async () => {
  const blobs = memoryBlobs();
  const digests = digestStream(blobs);
  const [first, second, third] = segments(3, 2, 4);

  if (first && second && third) {
    digests.add(first);
    digests.add(second);
    await digests.write('periodic');
    await digests.write('periodic');
    digests.add(third);
  }
  await digests.write('closing');

  const written = digestsOf(blobs);
  expect([...blobs.objects.keys()]).toEqual([
    'digests/dt=2026-11-20/gateway/000000000001.json',
    'digests/dt=2026-11-20/gateway/000000000002.json',
    'digests/dt=2026-11-20/gateway/000000000003.json',
  ]);
  expect(written.map(({ statement: { firstSeq, lastSeq, kind } }) => [firstSeq, lastSeq, kind])).toEqual([
    [1, 5, 'periodic'],
    [6, 5, 'periodic'],
    [6, 9, 'closing'],
  ]);
  expect(written.slice(1).map(({ statement }) => statement.previousSha256)).toEqual(
    written.slice(0, -1).map(({ sha256 }) => sha256),
  );
  expect(written.map(({ statement }) => statement.nextBy !== undefined)).toEqual([true, true, false]);
  expect(written[2]?.statement.headHash).toBe(third?.segment.lastHash);
});

test('a segment that does not follow is not signed', () => {
  const digests = digestStream(memoryBlobs());
  const [, second] = segments(3, 2);

  expect(() => second && digests.add(second)).toThrow(/begins with number 4 where 1/);
});

test('when the answer to a put is lost, the same digest is found again and nothing is signed twice', async () => {
  const blobs = memoryBlobs();
  const digests = digestStream(blobs, { signer: newSigner('ecdsa-p256-sha256') });
  const [first, second] = segments(3, 2);
  if (first) digests.add(first);
  blobs.loseNextAnswer();
  await expect(digests.write('periodic')).rejects.toThrow('lost');
  if (second) digests.add(second);

  await digests.write('closing');

  expect(digestsOf(blobs).map(({ statement }) => [statement.firstSeq, statement.lastSeq])).toEqual([
    [1, 3],
    [4, 5],
  ]);
});

test('where another has signed that number, nothing is replaced', async () => {
  const blobs = memoryBlobs();
  await digestStream(blobs).write('periodic');
  const before = new Map(blobs.objects);

  await expect(digestStream(blobs).write('closing')).rejects.toMatchObject({ code: 'conflict' });

  expect(blobs.objects).toEqual(before);
});

test('a signer that fails leaves what was added for the next try', async () => {
  const blobs = memoryBlobs();
  const signer = newSigner();
  let failing = true;
  const digests = digestStream(blobs, {
    signer: {
      ...signer,
      sign: async (message) => (failing ? Promise.reject(new Error('no')) : signer.sign(message)),
    },
  });
  const [first] = segments(3);
  if (first) digests.add(first);
  await expect(digests.write('periodic')).rejects.toThrow('no');
  failing = false;

  await digests.write('periodic');

  expect(digests.uncovered).toBe(0);
  expect(digestsOf(blobs).map(({ statement }) => statement.lastSeq)).toEqual([3]);
});

test('a new key goes on only where the old one names it', async () => {
  const blobs = memoryBlobs();
  const [old, next] = [newSigner(), newSigner('ecdsa-p256-sha256')];
  await digestStream(blobs, { signer: old }).write('periodic');
  const [newest] = digestsOf(blobs);
  const options = { ...sampleOptions(blobs), newest, signer: next };

  await expect(resumeDigests(options)).rejects.toMatchObject({ code: 'key-changed' });
  await expect(resumeDigests({ ...options, predecessor: newSigner() })).rejects.toMatchObject({
    code: 'key-changed',
  });
  const digests = await resumeDigests({ ...options, predecessor: old });
  await digests.write('closing');

  const [, second, third] = digestsOf(blobs);
  expect(second?.statement.successorKey).toBe(next.publicKeySpki.toString('base64'));
  expect(third?.statement).toMatchObject({ number: 3, algorithm: 'ecdsa-p256-sha256' });
  await expect(resumeDigests({ ...options, newest: second })).resolves.toBeDefined();
});

test('a stream goes on from its newest digest', async () => {
  const blobs = memoryBlobs();
  const signer = newSigner();
  const [first, second] = segments(3, 2);
  const before = digestStream(blobs, { signer });
  if (first) before.add(first);
  await before.write('closing');
  const [written] = digestsOf(blobs);

  const after = digestStream(blobs, { signer, head: written && digestHead(written) });
  if (second) after.add(second);
  await after.write('closing');

  const key = digestKeyOf(signer.publicKeySpki);
  const digests = digestsOf(blobs);
  expect(digests.map(({ statement: { number, lastSeq } }) => [number, lastSeq])).toEqual([
    [1, 3],
    [2, 5],
  ]);
  expect(digests.every((digest) => isSignedBy(digest, new Map(key && [[key.keyId, key]])))).toBe(true);
});

test('other streams are named in their order, and the stream itself is not', async () => {
  const blobs = memoryBlobs();
  const reference = (name: string) => ({ stream: streamName(name), number: 1, sha256: 'ab'.repeat(32) });
  const digests = digestStream(blobs, {
    others: async () => [reference('gateway-w2'), reference('gateway'), reference('gateway-w1')],
  });

  await digests.write('periodic');

  expect(digestsOf(blobs)[0]?.statement.streams).toEqual([reference('gateway-w1'), reference('gateway-w2')]);
});
