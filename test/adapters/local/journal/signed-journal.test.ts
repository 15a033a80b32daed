import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  createFileSigner,
  createFolderBlobStore,
  type DigestSettings,
  type JournalOptions,
  verifyLake,
} from '#adapters/local';
import { type Signer, streamName } from '#core/contract';
import { digestKeyOf, parseDigest } from '#core/digest';
import { atMs } from '../../../core/event/sample-facts.ts';
import { command, dataDirectory, filesBelow, journalIn, sessionStart, stream } from './sample-journal.ts';

type Signed = {
  readonly directory: string;
  readonly signer: Signer;
  journal(options?: Partial<JournalOptions>, digests?: Partial<DigestSettings>): ReturnType<typeof journalIn>;
  verified(asOfMs?: number, keys?: readonly Signer[]): ReturnType<typeof verifyLake>;
  digests(of?: string): Promise<readonly ReturnType<typeof parseDigest>['statement'][]>;
};

async function signedDirectory(): Promise<Signed> {
  const directory = await dataDirectory();
  const signer = await createFileSigner(join(directory, 'keys', 'evidence.pem'));
  const lake = join(directory, 'lake');
  return {
    directory,
    signer,
    journal: (options = {}, digests = {}) =>
      journalIn(directory, {
        ...options,
        digests: { signer, blobs: createFolderBlobStore(lake), ...digests },
      }),
    verified: (asOfMs = atMs, keys = [signer]) =>
      verifyLake(directory, {
        liveSessions: 'streams',
        recordings: createFolderBlobStore(lake),
        digests: { asOfMs, keys: keys.flatMap(({ publicKeySpki }) => digestKeyOf(publicKeySpki) ?? []) },
      }),
    async digests(of = stream) {
      const folder = join(lake, 'digests', 'dt=2026-11-20', of);
      const names = (await readdir(folder)).sort();
      return Promise.all(
        names.map(async (name) => parseDigest(await readFile(join(folder, name))).statement),
      );
    },
  };
}

test('a journal that ends has signed everything, and says that it ended', async () => {
  const signed = await signedDirectory();
  const journal = await signed.journal();
  await journal.record(command('a'));
  await journal.sealNow();
  await journal.record(command('b'));
  await journal.close();

  expect((await signed.digests()).map(({ kind, firstSeq, lastSeq }) => [kind, firstSeq, lastSeq])).toEqual([
    ['periodic', 1, 1],
    ['closing', 2, 2],
  ]);
  expect(await signed.verified(atMs + 86_400_000)).toMatchObject({
    ok: true,
    streams: [{ records: 2, digests: { number: 2, state: 'closed' } }],
  });
});

test('a digest is signed when many records wait', async () => {
  const signed = await signedDirectory();
  const journal = await signed.journal({ sealAfterBytes: 2000 }, { everyRecords: 5 });
  for (let i = 0; i < 30; i += 1) await journal.record(command(`echo ${i}`));
  await journal.close();

  const digests = await signed.digests();
  expect(digests.length).toBeGreaterThan(3);
  expect(digests.every(({ firstSeq, lastSeq }) => lastSeq - firstSeq < 9)).toBe(true);
  expect(await signed.verified()).toMatchObject({ ok: true });
});

test('a digest is signed from time to time, though nothing happens', async () => {
  const signed = await signedDirectory();
  const journal = await signed.journal({}, { everyMs: 20 });
  await expect.poll(async () => (await signed.digests().catch(() => [])).length).toBeGreaterThan(2);
  await journal.close();

  expect((await signed.digests()).map(({ lastSeq }) => lastSeq)).toEqual(expect.arrayContaining([0, 0, 0]));
  expect(await signed.verified()).toMatchObject({ ok: true });
});

test('what a killed run left is signed by the next one', async () => {
  const signed = await signedDirectory();
  const killed = await journalIn(signed.directory);
  await killed.record(command('a'));
  await killed.sealNow();
  await killed.record(command('b'));
  await killed.close();
  expect(await signed.verified(atMs + 86_400_000)).toMatchObject({
    ok: false,
    problems: [{ code: 'missing-digest' }],
  });

  const journal = await signed.journal();
  await journal.record(command('c'));
  await journal.close();

  expect(await signed.verified(atMs + 86_400_000)).toMatchObject({ ok: true, streams: [{ records: 3 }] });
});

test('streams name each other, so that one cannot be taken away', async () => {
  const signed = await signedDirectory();
  const other = await signed.journal({ stream: streamName('gateway-w1') });
  await other.record(command('a'));
  await other.close();
  const journal = await signed.journal();
  await journal.record(command('b'));
  await journal.close();
  for (const folder of ['digests', 'events'])
    await rm(join(signed.directory, 'lake', folder, 'dt=2026-11-20', 'gateway-w1'), { recursive: true });

  expect(await signed.verified()).toMatchObject({ problems: [{ code: 'missing-stream' }] });
});

test('what somebody else put among the digests is not spoken of', async () => {
  const signed = await signedDirectory();
  const planted = join(signed.directory, 'lake', 'digests', 'dt=2026-11-20', 'ghost');
  await mkdir(planted, { recursive: true });
  await writeFile(join(planted, '000000000001.json'), '{}\n{}\n');
  const journal = await signed.journal();
  await journal.record(command('a'));
  await journal.close();

  expect((await signed.digests()).flatMap(({ streams }) => streams)).toEqual([]);
  expect((await signed.verified()).problems.map(({ code }) => code)).toEqual(['broken-digest']);
});

describe('a key that changes', () => {
  test('is refused unless the old one can name it', async () => {
    const signed = await signedDirectory();
    await (await signed.journal()).close();
    const next = await createFileSigner(join(signed.directory, 'keys', 'next.pem'));

    await expect(signed.journal({}, { signer: next })).rejects.toMatchObject({ code: 'key-changed' });

    const journal = await signed.journal({}, { signer: next, predecessor: signed.signer });
    await journal.record(command('a'));
    await journal.close();
    expect(
      (await signed.digests()).map(({ kind, successorKey }) => [kind, successorKey !== undefined]),
    ).toEqual([
      ['closing', false],
      ['periodic', true],
      ['closing', false],
    ]);
    expect(await signed.verified()).toMatchObject({ ok: true });
    expect((await signed.verified(atMs, [next])).problems.map(({ code }) => code)).toContain('bad-signature');
  });
});

test('a signer that fails is told, loses nothing, and is tried again', async () => {
  const signed = await signedDirectory();
  const faults: string[] = [];
  let failing = true;
  const signer = {
    ...signed.signer,
    sign: async (message: Uint8Array) =>
      failing ? Promise.reject(new Error('no key')) : signed.signer.sign(message),
  };
  const journal = await signed.journal({ onFault: (error) => faults.push(error.message) }, { signer });
  await journal.record(command('a'));
  await journal.sealNow();
  failing = false;
  await journal.close();

  expect(faults).toEqual([expect.stringContaining('could not be signed (no key)')]);
  expect(await signed.verified(atMs + 86_400_000)).toMatchObject({ ok: true, streams: [{ records: 1 }] });
});

test('a session without an end is open while its stream is alive, and a fault when it went silent', async () => {
  const signed = await signedDirectory();
  const journal = await signed.journal();
  await journal.record(sessionStart(`s-${'1'.repeat(32)}`));
  await journal.sealNow();

  expect(await signed.verified(atMs + 600_000)).toMatchObject({
    ok: true,
    sessions: { live: 1, open: [`s-${'1'.repeat(32)}`] },
  });
  expect((await signed.verified(atMs + 1_000_000)).problems.map(({ code }) => code)).toEqual([
    'missing-digest',
    'session-without-end',
  ]);
});

test('verifying beside a writer that signs finds no fault', async () => {
  const signed = await signedDirectory();
  const journal = await signed.journal({ sealAfterBytes: 4000 }, { everyRecords: 8 });
  const problems = [];
  for (let i = 0; i < 10; i += 1) {
    const records = Array.from({ length: 10 }, (_, j) => journal.record(command(`echo ${i} ${j}`)));
    problems.push(...(await signed.verified()).problems);
    await Promise.all(records);
  }
  await journal.close();

  expect(problems).toEqual([]);
  expect((await filesBelow(join(signed.directory, 'lake', 'digests'))).length).toBeGreaterThan(5);
});
