import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { openJournal } from '#adapters/local';
import { streamName } from '#core/contract';
import { executeCommand, type SessionFacts } from '#core/event';
import { type DataDirectory, dataDirectory } from '../../cli/data-directory.ts';
import { ask, withLake } from '../../cli/lake-query.ts';
import { BenchError } from './bench-error.ts';
import { percentile } from './statistics.ts';
import type { Family, Workbench } from './workbench.ts';

const events = 1_000_000;
const days = 10;
const dayMs = 86_400_000;
const queries = 5;
/** Records on their way at once. */
const batch = 2000;

export const million: Family = {
  name: 'million',
  about: `a query of the last 24 hours over ${events.toLocaleString('en')} events of ${days} days; writing them takes minutes`,
  onRequest: true,
  async measure(workbench) {
    const data = dataDirectory(join(workbench.folder, 'data'));
    mkdirSync(data.root, { recursive: true, mode: 0o700 });
    const endMs = Date.now();
    await writeEvents(workbench, data, endMs);
    const fromMs = endMs - dayMs;
    const from = new Date(fromMs).toISOString();
    const sql = `SELECT event_name, count(*) AS events, count(DISTINCT user_name) AS people FROM events
WHERE dt >= '${from.slice(0, 10)}' AND ingest_time >= TIMESTAMP '${from.slice(0, 19).replace('T', ' ')}' GROUP BY event_name`;
    const seconds = await withLake(data, async (engine) => {
      const measured: number[] = [];
      for (let query = 1; query <= queries; query += 1) {
        const started = performance.now();
        const { rows } = await ask(engine, sql, 120_000, 100);
        measured.push((performance.now() - started) / 1000);
        const found = Number(rows[0]?.['events'] ?? 0);
        if (Math.abs(found - events / days) > 100)
          throw new BenchError('failed', `the query counts ${found} events where ${events / days} are`);
        workbench.progress(`million: query ${query}, ${measured.at(-1)?.toFixed(2)} s`);
      }
      return measured;
    });
    return [
      {
        name: 'million-last-24h',
        unit: 's',
        measured: { kind: 'percentiles', p50: percentile(seconds, 0.5), p99: percentile(seconds, 0.99) },
        against: { kind: 'promise', bound: { direction: 'at-most', limit: 1 } },
      },
    ];
  },
};

/** The journal itself writes them, chained and sealed as ever, on a clock that runs through the days; only the disk's syncs are left out. */
async function writeEvents(workbench: Workbench, data: DataDirectory, endMs: number): Promise<void> {
  const stepMs = (days * dayMs) / events;
  let written = 0;
  const now = () => Math.floor(endMs - (events - written) * stepMs);
  const faults: Error[] = [];
  const journal = await openJournal({
    directory: data.root,
    stream: streamName('bench'),
    origin: {
      eventSource: 'ssh-proxy.example.com',
      awsRegion: 'local',
      recipientAccountId: '000000000000',
    },
    proxyId: 'bench',
    now,
    randomBytes,
    onFault: (error) => faults.push(error),
    createFile: async (path) => {
      const file = await open(path, 'ax', 0o600);
      return {
        write: (bytes, offset, length) => file.write(bytes, offset, length),
        datasync: async () => undefined,
        truncate: (length) => file.truncate(length),
        close: () => file.close(),
      };
    },
  });
  while (written < events) {
    const waiting: Promise<unknown>[] = [];
    for (let index = 0; index < batch; index += 1) {
      waiting.push(journal.record(draftOf(written, now())));
      written += 1;
    }
    await Promise.all(waiting);
    if (written % (events / 10) === 0) workbench.progress(`million: ${written} events written`);
  }
  await journal.close();
  if (faults[0] !== undefined) throw faults[0];
}

function draftOf(index: number, atMs: number) {
  const person = `engineer-${index % 200}`;
  const facts: SessionFacts = {
    sessionId: `s-${Math.floor(index / 20)
      .toString(16)
      .padStart(32, '0')}`,
    identity: { name: person, principalId: person, type: 'LocalUser' },
    login: 'deploy',
    target: { name: `web-${index % 50}`, host: '192.0.2.10', port: 22, labels: { env: 'production' } },
    authMethod: 'publickey',
    keyFingerprint: `SHA256:${'a'.repeat(43)}`,
    mfa: { verified: true, method: 'totp', atMs },
    authenticatedAtMs: atMs,
    sourceIp: '203.0.113.9',
    sourcePort: 50_000,
    userAgent: 'SSH-2.0-OpenSSH_9.9',
    proxyId: 'bench',
  };
  return executeCommand(facts, atMs, {
    channelId: 'c1',
    command: Buffer.from(`systemctl status service-${index % 1000}`),
    commandSource: 'exec',
    confidence: 'exact',
    pty: false,
  });
}
