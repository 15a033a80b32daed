import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { closeLostSessions } from '#core/event';
import { dataDirectory, filesBelow, journalIn, verified } from './sample-journal.ts';

const script = fileURLToPath(new URL('./appending-process.ts', import.meta.url));

/** Lets the process append until it has acknowledged so many records, and some milliseconds more, then kills it. */
async function appendAndKill(directory: string, records: number, moreMs: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let killing = false;
  for await (const chunk of child.stdout) {
    output += String(chunk);
    if (killing || output.split('\n').length <= records) continue;
    killing = true;
    setTimeout(() => child.kill('SIGKILL'), moreMs);
  }
  const lines = output.split('\n').slice(0, -1);
  expect(lines.filter((line) => !line.startsWith('ack '))).toEqual([]);
  return lines.map((line) => line.slice(4));
}

async function keptIds(directory: string): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const file of await filesBelow(directory)) {
    if (!/\.ndjson(\.gz)?$/.test(file)) continue;
    const bytes = await readFile(join(directory, file));
    const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
    for (const [, id] of text.matchAll(/"eventID":"([^"]+)"/g)) if (id !== undefined) ids.add(id);
  }
  return ids;
}

test('kill -9 at any moment loses nothing acknowledged, and the chain goes on', async () => {
  const directory = await dataDirectory();
  const acknowledged: string[] = [];

  for (let kill = 0; kill < 20; kill += 1)
    acknowledged.push(...(await appendAndKill(directory, 20 + kill * 5, Math.random() * 40)));
  const journal = await journalIn(directory, { now: () => Date.now() });
  for (const draft of closeLostSessions(journal.recovered.lostSessions, Date.now()))
    await journal.record(draft);
  await journal.close();

  const kept = await keptIds(directory);
  expect(acknowledged.length).toBeGreaterThan(20 * 20);
  expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
  const { problems, streams, sessions } = await verified(directory);
  expect(problems).toEqual([]);
  expect(streams[0]?.records).toBeGreaterThanOrEqual(acknowledged.length);
  expect(sessions.ended).toBe(sessions.started);
}, 300_000);
