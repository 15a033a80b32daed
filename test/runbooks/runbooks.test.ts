import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openTemporaryLake } from '../../adapters/local/duckdb/index.ts';
import { parseRunbook, type Runbook, runbookJsonSchema, testRunbook } from '../../core/runbook/index.ts';

const folder = new URL('../../runbooks/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

function shipped(file: string): Runbook {
  const parsed = parseRunbook(readFileSync(new URL(file, folder), 'utf8'), file);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems, undefined, 2));
  return parsed.runbook;
}

it('ships the two runbooks the product began with', () => {
  expect(files).toEqual(
    expect.arrayContaining([expect.stringMatching(/^SSH-001-/), expect.stringMatching(/^SSH-002-/)]),
  );
});

describe.each(files)('%s', (file) => {
  it('has no problems', () => {
    expect(parseRunbook(readFileSync(new URL(file, folder), 'utf8'), file)).toMatchObject({ ok: true });
  });

  it('passes its own tests', async () => {
    const results = await testRunbook(shipped(file), openTemporaryLake);

    expect(results.filter((result) => result.failures.length > 0)).toEqual([]);
    expect(results.length).toBeGreaterThan(1);
  });
});

it('keeps the JSON Schema for editors as the engine has it', () => {
  const stored: unknown = JSON.parse(readFileSync(new URL('schema/runbook.schema.json', folder), 'utf8'));

  expect(stored).toEqual(JSON.parse(JSON.stringify(runbookJsonSchema())));
});
