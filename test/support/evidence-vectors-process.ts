// Writes test/vectors/evidence anew, with new keys: npx node test/support/evidence-vectors-process.ts
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createFolderBlobStore, verifyLakeFolder } from '#adapters/local';
import { genesisHash, link } from '#core/chain';
import { type Signer, sessionId, streamName } from '#core/contract';
import { digestKeyOf } from '#core/digest';
import {
  endSession,
  executeCommand,
  parseAuditRecord,
  type SessionFacts,
  startSession,
  stopProxy,
  storeRecording,
} from '#core/event';
import { gzipMember } from '#core/journal';
import { sessionFacts } from '../core/event/sample-facts.ts';
import { type LakeStream, lakeStream, shortRecording } from './evidence-lake.ts';

const folder = join(import.meta.dirname, '..', 'vectors', 'evidence');
const startMs = Date.parse('2026-11-20T10:00:00Z');
const later = '2026-11-20T18:00:00.000Z';
let nowMs = startMs;
const now = () => nowMs;

type Expected = { readonly class: string | null; readonly asOf?: string; readonly keys?: readonly string[] };
const vectors: ({ readonly name: string } & Expected)[] = [];

const keys = {
  evidence: newSigner('ecdsa-p256-sha256'),
  next: newSigner('ed25519'),
  stranger: newSigner('ecdsa-p256-sha256'),
};

rmSync(folder, { recursive: true, force: true });
for (const [name, { publicKeySpki }] of Object.entries(keys)) {
  const key = createPublicKey({ key: publicKeySpki, format: 'der', type: 'spki' });
  write(join(folder, 'keys', `${name}.pem`), key.export({ type: 'spki', format: 'pem' }));
}
await good('good', keys.evidence);
vectors.push({ name: 'good', class: null });
await good('good-ed25519', keys.next);
vectors.push({ name: 'good-ed25519', class: null, keys: ['next'] });
await good('good-open', keys.evidence, 'open');
vectors.push({ name: 'good-open', class: null, asOf: '2026-11-20T10:08:00.000Z' });
await good('good-new-key', keys.evidence, 'rotated');
vectors.push({ name: 'good-new-key', class: null });
// The same lake hours later: the session that was open has no end, and no digest came.
attack('stream-went-silent', 'missing-digest', () => undefined, 'good-open');
attack('session-without-end', 'session-without-end', () => undefined, await endless());

const first = 'gateway-1/000000000001.ndjson.gz';
const second = 'gateway-1/000000000003.ndjson.gz';
const last = 'gateway-1/000000000006.ndjson.gz';
const events = (name: string) => join('events', 'dt=2026-11-20', name);
const digest = (stream: string, number: number) =>
  join('digests', 'dt=2026-11-20', stream, `${String(number).padStart(12, '0')}.json`);

attack('changed-byte', 'segment-mismatch', (lake) => flip(join(lake, events(second)), 60));
await rewrite('changed-record', 'hash-mismatch', second, (lines) =>
  lines.map((line) => line.replace('uptime', 'reboot')),
);
await rewrite('removed-record', 'missing-record', second, (lines) => lines.toSpliced(1, 1));
await rewrite('removed-last-record', 'missing-tail', last, (lines) => lines.slice(0, -1));
await rewrite('inserted-record', 'duplicate-sequence', second, (lines) =>
  lines.toSpliced(1, 0, lines[0] ?? ''),
);
await rewrite('reordered-records', 'reordered', second, (lines) => [
  lines[1] ?? '',
  lines[0] ?? '',
  ...lines.slice(2),
]);
await rewrite('replaced-with-new-hashes', 'segment-mismatch', last, (lines) => relinked(lines));
attack('removed-segment', 'missing-segment', (lake) => rmSync(join(lake, events(second))));
attack('removed-last-segment', 'missing-tail', (lake) => rmSync(join(lake, events(last))));
attack('reordered-segments', 'misplaced-record', (lake) =>
  swap(join(lake, events(first)), join(lake, events(second))),
);
attack('added-segment', 'unlisted-segment', (lake) =>
  cpSync(join(lake, events(second)), join(lake, events('gateway-1/000000000004.ndjson.gz'))),
);
attack('removed-chunk', 'missing-chunk', (lake) => rmSync(recording(lake, '000001.cast.gz')));
attack('changed-chunk', 'chunk-mismatch', (lake) => flip(recording(lake, '000000.cast.gz'), 40));
attack('removed-manifest', 'missing-recording', (lake) => rmSync(recording(lake, 'manifest.json')));
attack('changed-manifest', 'recording-mismatch', (lake) => flip(recording(lake, 'manifest.json'), 20));
attack('removed-first-digest', 'missing-digest', (lake) => rmSync(join(lake, digest('gateway-1', 1))));
attack('removed-middle-digest', 'missing-digest', (lake) => rmSync(join(lake, digest('gateway-1', 2))));
attack('removed-last-digest', 'missing-digest', (lake) => rmSync(join(lake, digest('gateway-2', 3))));
attack('removed-digest-that-another-names', 'missing-digest', (lake) =>
  rmSync(join(lake, digest('gateway-1', 3))),
);
attack('removed-all-digests', 'missing-digest', (lake) => rmSync(join(lake, 'digests'), { recursive: true }));
attack('forged-signature', 'bad-signature', (lake) => forge(join(lake, digest('gateway-1', 2))));
attack('changed-digest', 'bad-signature', (lake) =>
  edit(join(lake, digest('gateway-1', 3)), '"number":3', '"number":4'),
);
attack('digest-in-another-place', 'broken-digest', (lake) =>
  swap(join(lake, digest('gateway-1', 2)), join(lake, digest('gateway-2', 2))),
);
attack('digest-is-no-digest', 'broken-digest', (lake) => write(join(lake, digest('gateway-1', 2)), '{}\n'));
attack('cut-to-a-periodic-digest', 'missing-digest', (lake) => {
  for (const number of [2, 3]) rmSync(join(lake, digest('gateway-2', number)));
});
attack('removed-stream', 'missing-stream', (lake) => {
  rmSync(join(lake, events('gateway-2')), { recursive: true });
  rmSync(join(lake, 'digests', 'dt=2026-11-20', 'gateway-2'), { recursive: true });
});
await signedByAnother();
await writeManifest();

async function good(name: string, signer: Signer, variant?: 'open' | 'rotated' | 'endless'): Promise<void> {
  const blobs = createFolderBlobStore(join(folder, name));
  nowMs = startMs;
  const streams: LakeStream[] = [];
  const open = (stream: string, by: Signer, before?: LakeStream) => {
    const made: LakeStream = lakeStream({
      blobs,
      stream: streamName(stream),
      signer: by,
      now,
      others: () => streams.filter((other) => other !== made).flatMap((other) => other.reference()),
      head: before?.digests.head,
    });
    return made;
  };
  const one = open('gateway-1', signer);
  const two = open('gateway-2', signer);
  streams.push(one, two);
  const [alice, bob] = [facts(1), facts(2)];
  one.record(startSession(alice, nowMs));
  one.record(executeCommand(alice, nowMs, { command: 'uptime # before', commandSource: 'exec' }));
  two.record(startSession(bob, nowMs));
  at(1);
  await one.seal();
  at(3);
  one.record(executeCommand(alice, nowMs, { command: 'uptime', commandSource: 'exec' }));
  const stored = await shortRecording(blobs, sessionId(alice.sessionId), startMs);
  one.record(storeRecording(alice, nowMs, stored));
  one.record(end(alice, 1));
  await one.seal();
  at(5);
  await two.seal();
  await one.sign('periodic');
  await two.sign('periodic');
  if (variant === 'open') return;
  at(10);
  await one.sign('periodic');
  await two.sign('periodic', variant === 'rotated' ? keys.next : undefined);
  at(12);
  one.record(
    stopProxy({ proxyId: 'gateway-1', version: '0.1.0' }, nowMs, { reason: 'an update', seconds: 720 }),
  );
  one.record(
    stopProxy({ proxyId: 'gateway-1', version: '0.1.0' }, nowMs, { reason: 'an update again', seconds: 720 }),
  );
  await one.seal();
  await one.sign('closing');
  if (variant !== 'endless') two.record(end(bob, 0));
  else two.record(executeCommand(bob, nowMs, { command: 'uptime', commandSource: 'exec' }));
  await two.seal();
  if (variant !== 'rotated') {
    await two.sign('closing');
    return;
  }
  // The stream goes on under the new key, which covers what the old one left.
  const handedOver = open('gateway-2', keys.next, two);
  for (const segment of two.unsigned) handedOver.digests.add(segment);
  await handedOver.sign('closing');
}

async function endless(): Promise<string> {
  await good('endless', keys.evidence, 'endless');
  return 'endless';
}

function attack(name: string, expected: string, change: (lake: string) => void, base = 'good'): void {
  const lake = join(folder, name);
  if (base === 'endless') renameSync(join(folder, base), lake);
  else cpSync(join(folder, base), lake, { recursive: true });
  change(lake);
  vectors.push({ name, class: expected });
}

async function rewrite(
  name: string,
  expected: string,
  file: string,
  change: (lines: readonly string[]) => readonly string[],
): Promise<void> {
  attack(name, expected, () => undefined);
  const path = join(folder, name, events(file));
  const lines = gunzipSync(readFileSync(path)).toString().split('\n').slice(0, -1);
  write(
    path,
    await gzipMember(
      Buffer.from(
        change(lines)
          .map((line) => `${line}\n`)
          .join(''),
      ),
    ),
  );
}

/** With another text in the last record, and every hash computed again. */
function relinked(lines: readonly string[]): readonly string[] {
  let previousHash = genesisHash;
  return lines.map((line) => {
    const record = parseAuditRecord(Buffer.from(line));
    if (record === undefined) throw new Error('not a record');
    const {
      chainHash: _,
      chainSeq = '',
      chainPrev = '',
      chainStream = '',
      ...data
    } = record.additionalEventData;
    const seq = Number(chainSeq);
    const position = { stream: chainStream, seq, previousHash: line === lines[0] ? chainPrev : previousHash };
    const { reason } = record.requestParameters;
    const requestParameters = {
      ...record.requestParameters,
      reason: reason?.replace('update', 'outage') ?? '',
    };
    const linked = link(position, { ...record, requestParameters, additionalEventData: data });
    previousHash = linked.hash;
    return linked.line;
  });
}

/** A digest that says what is so, by a key nobody trusts. */
async function signedByAnother(): Promise<void> {
  await good('untrusted-key', keys.stranger);
  vectors.push({ name: 'untrusted-key', class: 'bad-signature' });
}

async function writeManifest(): Promise<void> {
  const cases = [];
  for (const { name, class: expected, asOf = later, keys: names = ['evidence'] } of vectors) {
    const lake = join(folder, name);
    const trusted = names.flatMap(
      (each) => digestKeyOf(readFileSync(join(folder, 'keys', `${each}.pem`), 'utf8')) ?? [],
    );
    const verification = await verifyLakeFolder(lake, {
      liveSessions: 'streams',
      recordings: createFolderBlobStore(lake),
      digests: { keys: trusted, asOfMs: Date.parse(asOf) },
    });
    const classes = [...new Set(verification.problems.map(({ code }) => code))].sort();
    if (expected === null ? !verification.ok : !classes.some((code) => code === expected))
      throw new Error(`${name}: expected ${expected}, found ${JSON.stringify(verification.problems)}`);
    cases.push({ name, keys: names.map((each) => `keys/${each}.pem`), asOf, class: expected, classes });
    console.log(name, classes.join(' '));
  }
  write(join(folder, 'manifest.json'), `${JSON.stringify({ version: 1, cases }, undefined, 2)}\n`);
}

function newSigner(algorithm: Signer['algorithm']): Signer {
  const { privateKey, publicKey } =
    algorithm === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    algorithm,
    publicKeySpki: publicKey.export({ type: 'spki', format: 'der' }),
    sign: async (message) => sign(algorithm === 'ed25519' ? null : 'sha256', message, privateKey),
  };
}

function at(minutes: number): void {
  nowMs = startMs + minutes * 60_000;
}

function facts(number: number): SessionFacts {
  return {
    ...sessionFacts,
    sessionId: `s-${String(number).padStart(32, '0')}`,
    proxyId: `gateway-${number}`,
  };
}

function end(of: SessionFacts, recordings: number) {
  return endSession(of, nowMs, {
    endReason: 'ClientDisconnect',
    bytesIn: 10,
    bytesOut: 200,
    seconds: 60,
    channels: 1,
    recordings,
  });
}

function recording(lake: string, name: string): string {
  return join(lake, 'recordings', 'dt=2026-11-20', facts(1).sessionId, 'c1', name);
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  write(path, bytes);
}

function swap(a: string, b: string): void {
  const [first, second] = [readFileSync(a), readFileSync(b)];
  write(a, second);
  write(b, first);
}

function edit(path: string, from: string, to: string): void {
  write(path, readFileSync(path, 'utf8').replace(from, to));
}

function forge(path: string): void {
  const [statement = '', line = ''] = readFileSync(path, 'utf8').split('\n');
  const signature = Buffer.from(line.slice(14, -2), 'base64');
  const last = signature.length - 1;
  signature.writeUInt8(signature.readUInt8(last) ^ 1, last);
  write(path, `${statement}\n${JSON.stringify({ signature: signature.toString('base64') })}\n`);
}

function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  writeFileSync(path, content);
}
