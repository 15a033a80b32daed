import { createHash, generateKeyPairSync } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import type { BlobStore } from '../../../core/contract/index.ts';
import { openedOriginal, parseManifest, type RecorderError } from '../../../core/recording/index.ts';
import { sealingKeyOf, sealingKeyText } from '../../../core/sealing/index.ts';
import { createRecorder } from '../../../proxy-task/recording/recorder.ts';
import { openSpool } from '../../../proxy-task/recording/spool.ts';
import { folders, readRecording, session, shell } from './recording-fixture.ts';

const start = Date.UTC(2026, 0, 31, 23, 59, 59, 500);
const deadline = { timeout: 15_000, interval: 5 };

function clock(): { now: () => number; advance: (ms: number) => void } {
  let now = start;
  return {
    now: () => now,
    advance: (ms) => {
      now += ms;
    },
  };
}

/** Everything is recorded, however fast it comes. */
const noBulk = { bulkBytes: Number.POSITIVE_INFINITY };

const used = (): number => process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;

describe('createRecorder', () => {
  it('stores what a shell showed as an asciicast with a manifest', async () => {
    const { spoolDirectory, store } = folders();
    const { now, advance } = clock();
    const channel = createRecorder({ store, spoolDirectory, now }).start(shell());

    advance(1000);
    channel.output(Buffer.from('$ '), 'stdout');
    advance(3);
    channel.output(Buffer.from('uptime\r\n'), 'stdout');
    advance(500);
    channel.marker('uptime');
    channel.resize(100, 30);
    advance(97);
    channel.output(Buffer.from('warning'), 'stderr');
    advance(1400);
    const stored = await channel.finish({ kind: 'status', status: 0 });

    const { manifest, file, events } = await readRecording(store, stored.key);
    expect(stored.key).toBe(`recordings/dt=2026-01-31/${session}/c1/manifest.json`);
    expect(JSON.parse(file.split('\n')[0] ?? '')).toEqual({
      version: 3,
      term: { cols: 80, rows: 24, type: 'xterm-256color' },
      timestamp: Math.floor(start / 1000),
    });
    expect(events).toEqual([
      { time: 1, code: 'o', data: '$ uptime\r\n', stream: 'stdout' },
      { time: 1.503, code: 'm', data: 'uptime' },
      { time: 1.503, code: 'r', data: '100x30' },
      { time: 1.6, code: 'o', data: 'warning', stream: 'stderr' },
      { time: 3, code: 'x', data: '0' },
    ]);
    expect(manifest).toMatchObject({
      recordingId: `${session}/c1`,
      kind: 'shell',
      startedAtMs: start,
      seconds: 3,
      columns: 80,
      rows: 24,
      truncated: false,
      recovered: false,
      invalidBytes: 0,
      chunks: [{ name: '000000.cast.gz', firstSecond: 0, lastSecond: 3 }],
    });
    const manifestBytes = (await store.get(stored.key)) ?? Buffer.alloc(0);
    expect(stored).toMatchObject({
      manifestSha256: createHash('sha256').update(manifestBytes).digest('hex'),
      seconds: 3,
      bytes: manifest.bytes,
      chunks: 1,
      truncated: false,
    });
  });

  it('leaves nothing in the spool, and keeps what was there from other accounts', async () => {
    const { spoolDirectory, store } = folders();
    const channel = createRecorder({ store, spoolDirectory, now: Date.now, limits: { flushMs: 5 } }).start(
      shell(),
    );
    channel.output(Buffer.from('x'), 'stdout');
    const folder = join(spoolDirectory, 'recordings', session);
    await vi.waitFor(() => expect(readdirSync(folder).sort()).toEqual(['c1.0.cast', 'c1.json']), deadline);

    const modes = [folder, join(folder, 'c1.0.cast'), join(folder, 'c1.json')].map(
      (path) => lstatSync(path).mode & 0o777,
    );
    await channel.finish();

    expect(modes).toEqual([0o700, 0o600, 0o600]);
    expect(readdirSync(join(spoolDirectory, 'recordings'))).toEqual([]);
  });

  it('puts what screens said where it is searched, with secrets hidden', async () => {
    const { spoolDirectory, store } = folders();
    const recorder = createRecorder({ store, spoolDirectory, now: () => start });
    const channel = recorder.start(shell());
    channel.output(Buffer.from('$ mysql --password=hunter2-hunter2 shop\r\n'), 'stdout');

    await channel.finish();
    await recorder.settled();

    const file = await store.get(`screen-text/dt=2026-01-31/${session}/c1.ndjson.gz`);
    const [row = '', end = ''] = gunzipSync(file ?? '')
      .toString('utf8')
      .split('\n');
    expect(JSON.parse(row)).toMatchObject({
      recording_id: `${session}/c1`,
      text: `$ mysql --password=${'*'.repeat(15)} shop`,
    });
    expect(JSON.parse(end)).toMatchObject({ outcome: 'complete' });
  });

  it('keeps the original for who has another key, and shows it to nobody else', async () => {
    const { spoolDirectory, store, lake } = folders();
    const { privateKey } = generateKeyPairSync('x25519');
    const redaction = { defaults: true, rules: [], sealOriginalTo: sealingKeyText(sealingKeyOf(privateKey)) };
    const channel = createRecorder({ store, spoolDirectory, now: Date.now, redaction }).start(shell());
    channel.output(Buffer.from('$ mysql --password=hunter2-hunter2 shop\r\n'), 'stdout');

    const { key } = await channel.finish({ kind: 'status', status: 0 });

    const { manifest, text } = await readRecording(store, key);
    const original = await Array.fromAsync(openedOriginal(store, key, manifest, privateKey));
    expect(text).toContain(`--password=${'*'.repeat(15)}`);
    expect(Buffer.concat(original).toString('utf8')).toContain('--password=hunter2-hunter2 shop');
    for (const name of readdirSync(lake, { recursive: true, encoding: 'utf8' }))
      if (name.endsWith('.sealed')) expect(readFileSync(join(lake, name)).includes('hunter2')).toBe(false);
    expect(manifest.originals).toHaveLength(1);
  });

  it('tells where it could not, of a recording that is stored all the same', async () => {
    const { spoolDirectory, store } = folders();
    const faults: RecorderError[] = [];
    const picky: BlobStore = {
      ...store,
      putIfAbsent: (key, bytes) =>
        key.startsWith('screen-text/') ? Promise.reject(new Error('no room')) : store.putIfAbsent(key, bytes),
    };
    const recorder = createRecorder({
      store: picky,
      spoolDirectory,
      now: Date.now,
      onIndexFault: (error) => faults.push(error),
    });
    const channel = recorder.start(shell());

    const stored = await channel.finish();
    await recorder.settled();

    expect(faults.map(({ code, message }) => [code, message])).toEqual([
      ['index', expect.stringContaining(`what ${stored.key} showed cannot be searched (no room)`)],
    ]);
    expect(readdirSync(join(spoolDirectory, 'recordings'))).toEqual([]);
  });

  it('records a channel without any output', async () => {
    const { spoolDirectory, store } = folders();
    const channel = createRecorder({ store, spoolDirectory, now: Date.now }).start(
      shell({ kind: 'exec', columns: 0, rows: 0, term: '', command: 'true' }),
    );

    const stored = await channel.finish({ kind: 'signal', signal: 'KILL' });

    const { file, events, manifest } = await readRecording(store, stored.key);
    expect(JSON.parse(file.split('\n')[0] ?? '')).toMatchObject({
      term: { cols: 80, rows: 24 },
      command: 'true',
    });
    expect(events.map(({ code, data }) => [code, data])).toEqual([
      ['m', 'ended by signal KILL'],
      ['x', '137'],
    ]);
    expect(manifest).toMatchObject({ kind: 'exec', columns: 80, rows: 24 });
  });

  it('copies what it is given, and joins characters cut between two writes', async () => {
    const { spoolDirectory, store } = folders();
    const channel = createRecorder({ store, spoolDirectory, now: Date.now }).start(shell());
    const reused = Buffer.alloc(2);

    const text = 'zażółć 漢字 😀';
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 2) {
      const length = bytes.copy(reused, 0, at, at + 2);
      channel.output(reused.subarray(0, length), 'stdout');
    }
    reused.fill(0);
    channel.output(Buffer.from([0xff, 0xe2, 0x82]), 'stdout');

    const read = await readRecording(store, (await channel.finish()).key);
    expect(read.text).toBe(`${text}\ufffd\ufffd`);
    expect(read.manifest.invalidBytes).toBe(3);
  });

  it('cuts chunks by size; each is gzip, and joined they are one file', async () => {
    const { spoolDirectory, store } = folders();
    const limits = { chunkBytes: 64 * 1024 };
    const channel = createRecorder({ store, spoolDirectory, now: Date.now, limits }).start(shell());
    const lines: string[] = [];
    for (let line = 0; line < 20_000; line += 1) {
      const text = `line ${line} \u001b[31mred\u001b[0m\r\n`;
      lines.push(text);
      channel.output(Buffer.from(text), 'stdout');
      if (line % 1000 === 0) await nextTurn();
    }

    const stored = await channel.finish();

    const { manifest, text, file } = await readRecording(store, stored.key);
    expect(text).toBe(lines.join(''));
    expect(manifest.chunks.length).toBeGreaterThan(4);
    const joined: Buffer[] = [];
    for (const chunk of manifest.chunks) {
      const bytes = (await store.get(stored.key.replace('manifest.json', chunk.name))) ?? Buffer.alloc(0);
      expect(bytes.length).toBe(chunk.bytes);
      joined.push(gunzipSync(bytes));
    }
    expect(Buffer.concat(joined).toString()).toBe(file);
    expect(joined.every((bytes) => bytes.at(-1) === 10)).toBe(true);
  });

  it('stores a chunk by age while the channel goes on', async () => {
    const { spoolDirectory, store } = folders();
    const limits = { flushMs: 5, chunkMs: 20 };
    const channel = createRecorder({ store, spoolDirectory, now: Date.now, limits }).start(shell());
    const stored = async () => (await Array.fromAsync(store.list('recordings/'))).length;

    channel.output(Buffer.from('first'), 'stdout');
    await vi.waitFor(async () => expect(await stored()).toBe(1), deadline);
    channel.output(Buffer.from('second'), 'stdout');
    await vi.waitFor(async () => expect(await stored()).toBe(2), deadline);

    const read = await readRecording(store, (await channel.finish()).key);
    expect(read.text).toBe('firstsecond');
    expect(read.manifest.chunks.length).toBe(2);
  });

  it('keeps to its limit and stays small while 200 MB arrive, and says that it stopped', async () => {
    const { spoolDirectory, store } = folders();
    const maxShellBytes = 3 * 1024 * 1024;
    const limits = { maxShellBytes, ...noBulk };
    const channel = createRecorder({ store, spoolDirectory, now: Date.now, limits }).start(shell());
    const block = Buffer.alloc(32 * 1024, 'abcdefghijklmnopqrstuvwxyz\r\n');
    const before = used();
    let peak = 0;

    for (let sent = 0; sent < 200 * 1024 * 1024; sent += block.length) {
      channel.output(block, 'stdout');
      if (sent % (4 * 1024 * 1024) === 0) {
        peak = Math.max(peak, used() - before);
        await nextTurn();
      }
    }
    channel.marker('too late');
    channel.resize(1, 1);
    const stored = await channel.finish({ kind: 'status', status: 0 });

    const { manifest, text, events, file } = await readRecording(store, stored.key);
    expect(text.length).toBe(maxShellBytes);
    expect(manifest.truncated).toBe(true);
    expect(stored.truncated).toBe(true);
    expect(events.slice(-2).map(({ code, data }) => [code, data])).toEqual([
      ['m', `recording stopped after ${maxShellBytes} bytes`],
      ['x', '0'],
    ]);
    expect(file).toContain('\n# truncated\n');
    expect(peak).toBeLessThan(48 * 1024 * 1024);
  });

  it('tells the line on its terminal, and of nothing once it takes no more', async () => {
    const { spoolDirectory, store } = folders();
    const limits = { maxShellBytes: 1024 };
    const channel = createRecorder({ store, spoolDirectory, now: Date.now, limits }).start(
      shell({ onCommand: () => undefined }),
    );
    channel.output(Buffer.from('\u001b[?2004h$ '), 'stdout');
    for (const key of 'export TOKEN=ghp_16C7e42F292c6912E7710c838347Ae178B4a') {
      channel.input(Buffer.from(key));
      channel.output(Buffer.from(key), 'stdout');
    }

    const read = await channel.pendingLine(Buffer.from('x\ry\r'));
    channel.output(Buffer.alloc(2048, 'x'), 'stdout');
    const late = channel.pendingLine(Buffer.from('\r'));

    expect(read.line).toMatchObject({
      text: expect.stringContaining('ghp_16C7'),
      echoed: true,
      state: 'editing',
    });
    expect(read.hidden).toMatch(/^export TOKEN=\*+$/);
    expect(read.acceptKeys[0]).toBe(1);
    await expect(late).rejects.toThrow('not read any more');
    await channel.finish();
    await expect(channel.pendingLine(Buffer.from('\r'))).rejects.toThrow('not read any more');
  });

  it('holds little in memory while more comes than can be drawn, and says how much is left out', async () => {
    const { spoolDirectory, store } = folders();
    const channel = createRecorder({ store, spoolDirectory, now: Date.now, limits: noBulk }).start(shell());
    const block = Buffer.alloc(256 * 1024, 'abcdefghijklmnopqrstuvwxyz\r\n');
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;

    for (let sent = 0; sent < 64; sent += 1) {
      channel.output(block, 'stdout');
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
      await nextTurn();
    }
    const stored = await channel.finish();

    const { text, manifest } = await readRecording(store, stored.key);
    const omitted = (manifest.omissions ?? []).reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
    expect(stored.truncated).toBe(false);
    expect(text.replaceAll('\u001b\\\u001b[0m', '').length + omitted).toBe(64 * block.length);
    expect(peak).toBeLessThan(40 * 1024 * 1024);
  });

  it('counts resizes and markers too, so that a client cannot fill the store with them', async () => {
    const { spoolDirectory, store } = folders();
    const limits = { maxExecBytes: 64 * 1024 };
    const channel = createRecorder({ store, spoolDirectory, now: Date.now, limits }).start(
      shell({ kind: 'exec', term: '' }),
    );

    for (let count = 0; count < 50_000; count += 1) channel.resize(80 + (count % 2), 24);

    const { manifest, events } = await readRecording(store, (await channel.finish()).key);
    expect(events.length).toBeLessThan(1100);
    expect(manifest.truncated).toBe(true);
  });

  it('keeps channels of a session apart', async () => {
    const { spoolDirectory, store } = folders();
    const recorder = createRecorder({ store, spoolDirectory, now: Date.now, limits: { maxSealing: 1 } });
    const channels = ([1, 2, 3, 4, 5, 6] as const).map((serial) => {
      const channel = recorder.start(shell({ channel: `c${serial}` }));
      channel.output(Buffer.from(`channel ${serial}`), 'stdout');
      return channel;
    });

    const stored = await Promise.all(channels.map((channel) => channel.finish()));

    const texts = await Promise.all(stored.map(async ({ key }) => (await readRecording(store, key)).text));
    expect(texts).toEqual(['channel 1', 'channel 2', 'channel 3', 'channel 4', 'channel 5', 'channel 6']);
  });

  it('does not go back in time with the clock', async () => {
    const { spoolDirectory, store } = folders();
    const { now, advance } = clock();
    const limits = { flushMs: 5, chunkMs: 5 };
    const channel = createRecorder({ store, spoolDirectory, now, limits }).start(shell());
    const stored = async () => (await Array.fromAsync(store.list('recordings/'))).length;

    advance(5000);
    channel.output(Buffer.from('a\r\n'), 'stdout');
    await vi.waitFor(async () => {
      advance(5);
      expect(await stored()).toBeGreaterThan(0);
    }, deadline);
    const reached = now();
    advance(-3_600_000);
    channel.output(Buffer.from('b'), 'stdout');
    const { events, manifest } = await readRecording(store, (await channel.finish()).key);

    expect(events.at(-1)?.time).toBeGreaterThanOrEqual(5);
    expect(manifest.seconds).toBeGreaterThanOrEqual(5);
    expect(manifest.seconds).toBeLessThanOrEqual((reached - start) / 1000);
  });

  it('gives the same result to every finish, and does nothing after it', async () => {
    const { spoolDirectory, store } = folders();
    const channel = createRecorder({ store, spoolDirectory, now: Date.now }).start(shell());
    channel.output(Buffer.from('seen'), 'stdout');

    const first = channel.finish({ kind: 'status', status: 0 });
    channel.output(Buffer.from('late'), 'stdout');
    channel.marker('late');
    const second = channel.finish({ kind: 'status', status: 1 });

    expect(await second).toBe(await first);
    const { text, events } = await readRecording(store, (await first).key);
    expect(text).toBe('seen');
    expect(events.at(-1)).toMatchObject({ code: 'x', data: '0' });
  });

  it('refuses a channel name that is no name', () => {
    const recorder = createRecorder({ ...folders(), now: Date.now });

    expect(() => recorder.start(shell({ channel: 'c-1' }))).toThrow(RangeError);
  });
});

const fullStore = (store: BlobStore): BlobStore => ({
  ...store,
  putIfAbsent: () => Promise.reject(new Error('ENOSPC: no space left on device')),
});

describe('a recorder whose disk or store fails', () => {
  it('tells of a failing store once, while the channel goes on, and keeps everything in the spool', async () => {
    const { spoolDirectory, store } = folders();
    const faults: RecorderError[] = [];
    const limits = { flushMs: 5, chunkMs: 20 };
    const channel = createRecorder({ store: fullStore(store), spoolDirectory, now: Date.now, limits }).start(
      shell({ onFault: (error) => void faults.push(error) }),
    );

    channel.output(Buffer.from(`${'a'.repeat(200)}\r\n`), 'stdout');
    await vi.waitFor(() => expect(faults).toHaveLength(1), deadline);
    channel.output(Buffer.from('b'.repeat(200)), 'stdout');

    await expect(channel.finish()).rejects.toMatchObject({ name: 'RecorderError', code: 'store' });
    expect(faults).toHaveLength(1);
    const folder = join(spoolDirectory, 'recordings', session);
    const spooled = readdirSync(folder)
      .filter((name) => name.endsWith('.cast'))
      .sort()
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('');
    expect(spooled).toContain('a'.repeat(200));
    expect(spooled).toContain('b'.repeat(200));
  });

  it('tells of the first fault only', async () => {
    const { spoolDirectory, store } = folders();
    const faults: RecorderError[] = [];
    const limits = { flushMs: 5, chunkMs: 20 };
    const channel = createRecorder({ store: fullStore(store), spoolDirectory, now: Date.now, limits }).start(
      shell({ onFault: (error) => void faults.push(error) }),
    );
    channel.output(Buffer.from(`${'a'.repeat(200)}\r\n`), 'stdout');
    await vi.waitFor(() => expect(faults).toHaveLength(1), deadline);

    rmSync(spoolDirectory, { recursive: true });
    channel.output(Buffer.from('b'.repeat(200)), 'stdout');

    await expect(channel.finish()).rejects.toMatchObject({ code: 'store' });
    expect(faults).toMatchObject([{ code: 'store' }]);
  });

  it('tells of a spool that cannot be written', async () => {
    const { spoolDirectory, store } = folders();
    writeFileSync(spoolDirectory, 'a file in the way');
    const faults: RecorderError[] = [];
    const channel = createRecorder({ store, spoolDirectory, now: Date.now }).start(
      shell({ onFault: (error) => void faults.push(error) }),
    );

    channel.output(Buffer.from('x'), 'stdout');

    await expect(channel.finish()).rejects.toMatchObject({ code: 'spool' });
    expect(faults).toMatchObject([{ code: 'spool' }]);
  });

  it('tells of a disk that is too slow, instead of keeping everything in memory', async () => {
    const { spoolDirectory, store } = folders();
    const faults: RecorderError[] = [];
    const limits = { maxBacklogBytes: 2 * 1024 * 1024, ...noBulk };
    const spool = { ...openSpool(spoolDirectory), append: () => new Promise<void>(() => undefined) };
    const channel = createRecorder({ store, spool, now: Date.now, limits }).start(
      shell({ onFault: (error) => void faults.push(error) }),
    );

    const block = Buffer.alloc(64 * 1024, 'x\r\n');
    for (let sent = 0; sent < 64 && faults.length === 0; sent += 1) {
      channel.output(block, 'stdout');
      await delay(5);
    }

    await vi.waitFor(() => expect(faults).toMatchObject([{ code: 'backlog' }]), deadline);
    await expect(channel.finish()).rejects.toMatchObject({ code: 'backlog' });
    expect(faults).toHaveLength(1);
  });

  it('replaces no recording that is there', async () => {
    const { spoolDirectory, store } = folders();
    const { now } = clock();
    const key = `recordings/dt=2026-01-31/${session}/c1/000000.cast.gz`;
    await store.putIfAbsent(key, Buffer.from('theirs'));
    const faults: RecorderError[] = [];
    const channel = createRecorder({ store, spoolDirectory, now }).start(
      shell({ onFault: (error) => void faults.push(error) }),
    );

    await expect(channel.finish()).rejects.toMatchObject({ code: 'conflict' });
    expect(faults).toHaveLength(1);
    expect((await store.get(key))?.toString()).toBe('theirs');
  });

  it('is let go by the spool when it is on record, and not before', async () => {
    const { spoolDirectory, store } = folders();
    const channel = createRecorder({ store, spoolDirectory, now: Date.now }).start(shell());
    const spooled = () => readdirSync(join(spoolDirectory, 'recordings'));
    let spooledMeanwhile: readonly string[] = [];

    await channel.finish(undefined, async ({ key }) => {
      expect(await store.get(key)).toBeDefined();
      spooledMeanwhile = spooled();
    });

    expect(spooledMeanwhile).toEqual([session]);
    expect(spooled()).toEqual([]);
  });

  it('stays in the spool where it could not be put on record', async () => {
    const { spoolDirectory, store } = folders();
    const channel = createRecorder({ store, spoolDirectory, now: Date.now }).start(shell());

    await expect(channel.finish(undefined, () => Promise.reject(new Error('EIO')))).rejects.toThrow('EIO');

    expect(readdirSync(join(spoolDirectory, 'recordings', session))).toEqual(['c1.json']);
  });

  it('fails, and says so, where only the manifest cannot be stored', async () => {
    const { spoolDirectory, store } = folders();
    const failing: BlobStore = {
      ...store,
      putIfAbsent: (key, bytes) =>
        key.endsWith('manifest.json') ? Promise.reject(new Error('EIO')) : store.putIfAbsent(key, bytes),
    };
    const faults: RecorderError[] = [];
    const channel = createRecorder({ store: failing, spoolDirectory, now: Date.now }).start(
      shell({ onFault: (error) => void faults.push(error) }),
    );

    await expect(channel.finish()).rejects.toMatchObject({ code: 'store' });
    expect(faults).toMatchObject([{ code: 'store' }]);
    expect(readdirSync(join(spoolDirectory, 'recordings', session))).toEqual(['c1.json']);
  });
});

describe('a manifest that the recorder wrote', () => {
  it('is read by the strict parser', async () => {
    const { spoolDirectory, store } = folders();
    const channel = createRecorder({ store, spoolDirectory, now: () => start + 0.25 }).start(shell());
    channel.output(Buffer.from('x'), 'stdout');

    const { key } = await channel.finish();

    expect(parseManifest((await store.get(key)) ?? Buffer.alloc(0)).sessionId).toBe(session);
  });
});
