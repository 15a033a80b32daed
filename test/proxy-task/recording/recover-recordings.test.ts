import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import type { BlobStore } from '../../../core/contract/index.ts';
import type { RecorderError } from '../../../core/recording/index.ts';
import { createRecorder } from '../../../proxy-task/recording/recorder.ts';
import { indexRecordings, recoverRecordings } from '../../../proxy-task/recording/recover-recordings.ts';
import { folders, readRecording, session, shell } from './recording-fixture.ts';

const start = Date.UTC(2026, 0, 31);
const prefix = `recordings/dt=2026-01-31/${session}/c1/`;
const header = '{"version":3,"term":{"cols":80,"rows":24},"timestamp":1769817600}\n';
const head = {
  sessionId: session,
  channel: 'c1',
  kind: 'shell',
  startedAtMs: start,
  columns: 80,
  rows: 24,
  term: 'xterm',
};

function spooled(
  spoolDirectory: string,
  files: Readonly<Record<string, string>>,
  id: string = session,
): string {
  const folder = join(spoolDirectory, 'recordings', id);
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries({
    'c1.json': JSON.stringify({ ...head, sessionId: id }),
    ...files,
  }))
    writeFileSync(join(folder, name), text);
  return folder;
}

async function recover(store: BlobStore, spoolDirectory: string) {
  const faults: RecorderError[] = [];
  const recovered = await recoverRecordings({
    store,
    spoolDirectory,
    putOnRecord: async () => undefined,
    onFault: (error) => void faults.push(error),
  });
  return { recovered, faults };
}

describe('recoverRecordings', () => {
  it('finds nothing where nothing was left', async () => {
    const { spoolDirectory, store } = folders();

    expect(await recover(store, spoolDirectory)).toEqual({ recovered: [], faults: [] });
  });

  it('completes what a killed gateway was recording, to within two seconds', async () => {
    const { spoolDirectory, store, lake } = folders();
    const script = fileURLToPath(new URL('record-until-killed.ts', import.meta.url));
    const child = spawn(process.execPath, [script, lake, spoolDirectory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let reached = 0;
    const progress = createInterface(child.stdout).on('line', (line) => {
      reached = Number(line);
    });
    await vi.waitFor(() => expect(reached).toBeGreaterThanOrEqual(3000), { timeout: 25_000, interval: 5 });
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    progress.close();

    const { recovered, faults } = await recover(store, spoolDirectory);

    expect(faults).toEqual([]);
    expect(recovered).toHaveLength(1);
    const { text, manifest } = await readRecording(store, recovered[0]?.key ?? '');
    const lines = text.split('\r\n');
    expect(lines.slice(0, -1)).toEqual(lines.slice(0, -1).map((_line, index) => `line ${index}`));
    // A line takes a millisecond at least.
    expect(lines.length).toBeGreaterThan(reached - 2000);
    expect(manifest).toMatchObject({ recovered: true, truncated: false, kind: 'shell', columns: 80 });
    expect(manifest.chunks.length).toBeGreaterThan(1);
    expect(readdirSync(join(spoolDirectory, 'recordings'))).toEqual([]);
    await indexRecordings({ store, recordings: recovered, onFault: (error) => void faults.push(error) });
    expect(faults).toEqual([]);
    const day = new Date(manifest.startedAtMs).toISOString().slice(0, 10);
    const rows = await store.get(`screen-text/dt=${day}/${manifest.recordingId}.ndjson.gz`);
    expect(gunzipSync(rows ?? '').toString('utf8')).toContain('"text":"line 1"');
  }, 30_000);

  it('drops the line that was being written, and counts what the comments say', async () => {
    const { spoolDirectory, store } = folders();
    spooled(spoolDirectory, {
      'c1.0.cast': `${header}[1.000, "o", "a"]\n# invalid-bytes 2\n# stderr\n[0.500, "o", "\ufffd"]\n`,
      'c1.1.cast':
        '[2.000, "o", "b"]\n# truncated\n[0.000, "m", "recording stopped after 9 bytes"]\n[1.000, "o", "half',
    });

    const { recovered, faults } = await recover(store, spoolDirectory);

    expect(faults).toEqual([]);
    const { manifest, text } = await readRecording(store, `${prefix}manifest.json`);
    expect(text).toBe('a\ufffdb');
    expect(manifest).toMatchObject({ seconds: 3.5, invalidBytes: 2, truncated: true, recovered: true });
    expect(manifest.chunks).toMatchObject([
      { firstSecond: 1, lastSecond: 1.5 },
      { firstSecond: 3.5, lastSecond: 3.5 },
    ]);
    expect(recovered).toMatchObject([
      { key: `${prefix}manifest.json`, seconds: 3.5, chunks: 2, truncated: true },
    ]);
  });

  it.each([
    ['nothing but the head', {}],
    ['half a header', { 'c1.0.cast': header.slice(0, 20) }],
    ['an empty chunk', { 'c1.0.cast': '' }],
  ])('makes an empty recording of %s', async (_name, files: Record<string, string>) => {
    const { spoolDirectory, store } = folders();
    spooled(spoolDirectory, files);

    expect((await recover(store, spoolDirectory)).faults).toEqual([]);

    const { events, manifest } = await readRecording(store, `${prefix}manifest.json`);
    expect(events).toEqual([]);
    expect(manifest).toMatchObject({ seconds: 0, columns: 80 });
  });

  it('drops a later chunk of which no line was finished', async () => {
    const { spoolDirectory, store } = folders();
    spooled(spoolDirectory, { 'c1.0.cast': `${header}[1.000, "o", "a"]\n`, 'c1.1.cast': '[1.000, "o"' });

    expect((await recover(store, spoolDirectory)).faults).toEqual([]);

    expect((await readRecording(store, `${prefix}manifest.json`)).manifest.chunks).toHaveLength(1);
    expect(existsSync(join(spoolDirectory, 'recordings', session))).toBe(false);
  });

  it('goes on where it was killed itself, after each of its writes', async () => {
    const texts = [`${header}[1.000, "o", "a"]\n`, '[1.000, "o", "b"]\n', '[1.000, "o", "c"]\n'];
    for (let writes = 0; writes < 4; writes += 1) {
      const { spoolDirectory, store } = folders();
      const files = Object.fromEntries(texts.map((text, chunk) => [`c1.${chunk}.cast`, text]));
      spooled(spoolDirectory, files);
      let done = 0;
      const dying: BlobStore = {
        ...store,
        putIfAbsent: (key, bytes) => {
          done += 1;
          return done > writes ? Promise.reject(new Error('killed')) : store.putIfAbsent(key, bytes);
        },
      };

      const first = await recover(dying, spoolDirectory);
      const second = await recover(store, spoolDirectory);

      expect(first.faults).toMatchObject([{ code: 'store' }]);
      expect(second.faults).toEqual([]);
      expect((await readRecording(store, `${prefix}manifest.json`)).text).toBe('abc');
      expect(readdirSync(join(spoolDirectory, 'recordings'))).toEqual([]);
    }
  });

  it('takes a manifest that is there as it is, and clears the spool', async () => {
    const { spoolDirectory, store } = folders();
    const channel = createRecorder({ store, spoolDirectory, now: () => start }).start(shell());
    channel.output(Buffer.from('whole'), 'stdout');
    const stored = await channel.finish();
    spooled(spoolDirectory, { 'c1.0.cast': header });

    const { recovered, faults } = await recover(store, spoolDirectory);

    expect(faults).toEqual([]);
    expect(recovered).toEqual([stored]);
    expect((await readRecording(store, stored.key)).manifest.recovered).toBe(false);
    expect(readdirSync(join(spoolDirectory, 'recordings'))).toEqual([]);
  });

  it('completes what a store that failed left behind', async () => {
    const { spoolDirectory, store } = folders();
    const full: BlobStore = { ...store, putIfAbsent: () => Promise.reject(new Error('ENOSPC')) };
    const channel = createRecorder({ store: full, spoolDirectory, now: () => start }).start(
      shell({ onFault: () => undefined }),
    );
    channel.output(Buffer.from('kept'), 'stdout');
    await expect(channel.finish({ kind: 'status', status: 3 })).rejects.toMatchObject({ code: 'store' });

    expect((await recover(store, spoolDirectory)).faults).toEqual([]);

    const { text, events } = await readRecording(store, `${prefix}manifest.json`);
    expect(text).toBe('kept');
    expect(events.at(-1)).toMatchObject({ code: 'x', data: '3' });
  });

  it.each([
    ['a chunk is missing', { 'c1.0.cast': header, 'c1.2.cast': '[1.000, "o", "c"]\n' }],
    ['the first chunk is missing', { 'c1.1.cast': '[1.000, "o", "b"]\n' }],
    [
      'a chunk before the last is damaged',
      { 'c1.0.cast': `${header}[1`, 'c1.1.cast': '[1.000, "o", "b"]\n' },
    ],
    ['the file does not begin with a header', { 'c1.0.cast': '[1.000, "o", "a"]\n' }],
    ['the head is not JSON', { 'c1.json': '{' }],
    [
      'the head is of another session',
      { 'c1.json': JSON.stringify({ ...head, sessionId: `s-${'f'.repeat(32)}` }) },
    ],
    ['the head asks for another folder', { 'c1.json': JSON.stringify({ ...head, channel: '../../c1' }) }],
  ])('leaves the files for a person where %s, and goes on with the others', async (_name, files) => {
    const { spoolDirectory, store } = folders();
    const folder = spooled(spoolDirectory, files);
    const other = `s-${'e'.repeat(32)}`;
    spooled(spoolDirectory, { 'c1.0.cast': `${header}[1.000, "o", "other"]\n` }, other);

    const { recovered, faults } = await recover(store, spoolDirectory);

    expect(faults).toMatchObject([{ name: 'RecorderError', code: 'damaged' }]);
    expect(recovered.map((recording) => recording.sessionId)).toEqual([other]);
    for (const name of Object.keys(files)) expect(existsSync(join(folder, name))).toBe(true);
    expect(await store.get(`${prefix}manifest.json`)).toBeUndefined();
  });

  it('follows no link out of the spool', async () => {
    const { spoolDirectory, store, lake } = folders();
    const folder = spooled(spoolDirectory, {});
    mkdirSync(lake);
    appendFileSync(join(lake, 'secret'), `${header}[0.000, "o", "secret"]\n`);
    symlinkSync(join(lake, 'secret'), join(folder, 'c1.0.cast'));

    const { recovered, faults } = await recover(store, spoolDirectory);

    expect(recovered).toEqual([]);
    expect(faults).toHaveLength(1);
    expect(readFileSync(join(lake, 'secret'), 'utf8')).toContain('secret');
  });

  it('removes a head that was being written, before which nothing was recorded', async () => {
    const { spoolDirectory, store } = folders();
    const folder = join(spoolDirectory, 'recordings', session);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'c1.json.part'), '{"sessionId":"s-');

    const { recovered, faults } = await recover(store, spoolDirectory);

    expect(faults).toEqual([]);
    expect(recovered).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  });

  it('keeps hold of a recording until it is on record', async () => {
    const { spoolDirectory, store } = folders();
    const folder = spooled(spoolDirectory, { 'c1.0.cast': `${header}[1.000, "o", "a"]\n` });
    const killed = recoverRecordings({
      store,
      spoolDirectory,
      putOnRecord: () => Promise.reject(new Error('killed')),
      onFault: () => undefined,
    });
    await expect(killed).rejects.toThrow('killed');

    const { recovered, faults } = await recover(store, spoolDirectory);

    expect(faults).toEqual([]);
    expect(recovered).toHaveLength(1);
    expect(existsSync(folder)).toBe(false);
  });

  it('passes over what is no recording', async () => {
    const { spoolDirectory, store } = folders();
    mkdirSync(join(spoolDirectory, 'recordings', 'lost+found'), { recursive: true });
    writeFileSync(join(spoolDirectory, 'recordings', 'lost+found', 'c1.json'), '{}');
    spooled(spoolDirectory, { 'c1.0.cast': header, 'x.json': '{}', 'c1.0.cast.bak': '' });

    const { recovered, faults } = await recover(store, spoolDirectory);

    expect(faults).toEqual([]);
    expect(recovered).toHaveLength(1);
  });
});
