import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Row } from '#core/contract';
import { hashOfFile, pseudoRandomFile } from '../support/pseudo-random-file.ts';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

afterAll(async () => {
  await stack.close();
});

describe('files through the gateway are on record', () => {
  test('sftp puts and gets a hundred files, each with its bytes and its hash', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'source'));
    mkdirSync(join(folder, 'put'));
    mkdirSync(join(folder, 'got'));
    const names = Array.from({ length: 100 }, (_, index) => `file-${index}`);
    for (const [index, name] of names.entries())
      writeFileSync(join(folder, 'source', name), Buffer.alloc(index * 700, name));

    const finished = await sftp(stack, [
      `put ${folder}/source/* ${folder}/put/`,
      `get ${folder}/put/* ${folder}/got/`,
    ]);

    expect(finished.code, finished.stderr).toBe(0);
    const events = await transfersBelow(stack, `${folder}/put/`, 200);
    for (const direction of ['upload', 'download']) {
      const seen = events.filter((event) => event['direction'] === direction);
      expect(seen.map(factsOf).sort()).toEqual(
        names.map((name) => expectedFacts(join(folder, 'source', name), `${folder}/put/${name}`)).sort(),
      );
    }
  });
});

function sftp(on: Stack, batch: readonly string[], flags: readonly string[] = []) {
  return run('sftp', [...on.sshOptions, ...flags, '-b', '-', on.destination()], {
    stdin: `${batch.join('\n')}\n`,
  });
}

/** The transfers of files below a folder, once there are as many as expected. */
async function transfersBelow(on: Stack, folder: string, count: number): Promise<readonly Row[]> {
  const sql = `SELECT
      json_extract_scalar(request, '$.path') AS path, json_extract_scalar(request, '$.direction') AS direction,
      json_extract_scalar(response, '$.bytes') AS bytes, json_extract_scalar(response, '$.fileSha256') AS sha256,
      json_extract_scalar(response, '$.sha256Status') AS status, json_extract_scalar(response, '$.outcome') AS outcome
    FROM events WHERE event_name = 'TransferFile' AND json_extract_scalar(request, '$.path') LIKE '${folder}%'`;
  const deadline = Date.now() + 10_000;
  for (;;) {
    const rows = await on.query(sql);
    if (rows.length >= count || Date.now() > deadline) return rows;
  }
}

function factsOf(event: Row): string {
  return ['path', 'bytes', 'sha256', 'status', 'outcome'].map((name) => String(event[name])).join(' ');
}

function expectedFacts(source: string, path: string): string {
  const content = readFileSync(source);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return [path, String(content.length), sha256, 'whole', 'Success'].join(' ');
}
