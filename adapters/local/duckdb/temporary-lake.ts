import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditRecord, QueryEngine } from '#core/contract';
import { openDuckDbEngine } from './open-engine.ts';

export type TemporaryLake = {
  readonly engine: QueryEngine;
  readonly lakeEngine: 'duckdb';
  /** Removes it all. */
  close(): Promise<void>;
};

/** A lake in a folder of its own that holds these records: what the tests of a runbook run over. */
export async function openTemporaryLake(records: readonly AuditRecord[]): Promise<TemporaryLake> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'sshtrail-runbook-'));
  try {
    const folder = join(dataDirectory, 'journal', 'test');
    const segment = join(folder, '0.ndjson');
    await mkdir(folder, { recursive: true });
    await writeFile(segment, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    const engine = await openDuckDbEngine({
      dataDirectory,
      openSegmentFiles: async () => [{ path: segment }],
    });
    return {
      engine,
      lakeEngine: 'duckdb',
      close: async () => {
        await engine.close();
        await rm(dataDirectory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(dataDirectory, { recursive: true, force: true });
    throw error;
  }
}
