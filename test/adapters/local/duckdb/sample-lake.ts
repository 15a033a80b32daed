import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { openDuckDbEngine } from '../../../../adapters/local/duckdb/index.ts';
import type { QueryEngine, QueryResult, Row } from '../../../../core/contract/index.ts';

export type SampleLake = {
  readonly dataDirectory: string;
  /** Writes a sealed segment and returns its path. */
  seal(day: string, stream: string, seq: string, records: readonly object[]): Promise<string>;
  /** Writes an open segment as it is, bytes and all. */
  open(stream: string, seq: string, content: string | Uint8Array): Promise<string>;
  engine(overrides?: Partial<Parameters<typeof openDuckDbEngine>[0]>): Promise<QueryEngine>;
};

/** A data folder that is gone when the test is over. */
export async function sampleLake(): Promise<SampleLake> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'sshtrail-lake-'));
  onTestFinished(() => rm(dataDirectory, { recursive: true, force: true }));
  return {
    dataDirectory,
    seal: async (day, stream, seq, records) => {
      const folder = join(dataDirectory, 'lake', 'events', `dt=${day}`, stream);
      await mkdir(folder, { recursive: true });
      const path = join(folder, `${seq}.ndjson.gz`);
      await writeFile(path, gzipSync(lines(records)));
      return path;
    },
    open: async (stream, seq, content) => {
      const folder = join(dataDirectory, 'journal', stream);
      await mkdir(folder, { recursive: true });
      const path = join(folder, `${seq}.ndjson`);
      await writeFile(path, content);
      return path;
    },
    engine: async (overrides) => {
      const engine = await openDuckDbEngine({ dataDirectory, openSegmentFiles: journalFiles, ...overrides });
      onTestFinished(() => engine.close());
      return engine;
    },
  };
}

export async function journalFiles(dataDirectory: string): Promise<readonly { readonly path: string }[]> {
  const journal = join(dataDirectory, 'journal');
  const names = await readdir(journal, { recursive: true }).catch(() => []);
  return names
    .filter((name) => name.endsWith('.ndjson'))
    .sort()
    .map((name) => ({ path: join(journal, name) }));
}

export function lines(records: readonly object[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

let serial = 0;

/** An audit record with what the caller says of it; times are ISO text. */
export function sampleRecord(fields: {
  readonly eventName?: string;
  readonly at?: string;
  readonly userName?: string;
  readonly session?: string;
  readonly mfa?: string;
  readonly [field: string]: unknown;
}): object {
  const { at = '2026-11-20T10:00:00.000Z', userName = 'alice', session, mfa, ...rest } = fields;
  serial += 1;
  return {
    eventVersion: '1.0',
    eventID: `01937c2e-0000-7000-8000-${serial.toString().padStart(12, '0')}`,
    eventTime: at,
    eventSource: 'ssh-proxy.example.com',
    eventName: 'StartSession',
    eventCategory: 'ActivityAuditLog',
    eventType: 'ActivityLog',
    awsRegion: 'eu-central-1',
    recipientAccountId: '123456789012',
    readOnly: false,
    sourceIPAddress: '203.0.113.9',
    userAgent: 'SSH-2.0-OpenSSH_9.9',
    userIdentity: { type: 'LocalUser', principalId: `local:${userName}`, userName },
    requestParameters: { target: 'web-1', targetUser: 'deploy' },
    responseElements: {},
    additionalEventData: {
      ingestTime: at,
      ...(session === undefined ? {} : { sessionId: session }),
      ...(mfa === undefined ? {} : { mfaAuthenticated: mfa }),
    },
    ...rest,
  };
}

export async function allRows(
  engine: QueryEngine,
  sql: string,
  deadlineMs = 20_000,
): Promise<readonly Row[]> {
  return (await pagesOf(await engine.select(sql, { deadlineMs }))).flat();
}

export async function pagesOf(result: QueryResult): Promise<readonly (readonly Row[])[]> {
  const pages: (readonly Row[])[] = [];
  for await (const page of result.rows) pages.push(page);
  return pages;
}
