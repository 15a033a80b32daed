import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { AuditRecord } from '../../../core/contract/index.ts';
import { givenRecords } from '../../../core/runbook/given-events.ts';
import { parseRunbook, type Runbook } from '../../../core/runbook/index.ts';
import type { GivenEvent } from '../../../core/runbook/runbook.ts';
import { TrinoSQL } from '../../support/trino-sql.ts';

export const nowMs = Date.UTC(2026, 10, 20, 12);
const folder = new URL('../../../runbooks/', import.meta.url);

/** Trino's own parser as the gate of the fakes. */
export function trinoProblems(sql: string): readonly unknown[] {
  return new TrinoSQL().validate(sql);
}

export function shippedRunbooks(): readonly Runbook[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => {
      const parsed = parseRunbook(readFileSync(new URL(name, folder), 'utf8'), name);
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
      return parsed.runbook;
    });
}

/** The events of all tests of all runbooks together, each test with sessions of its own. */
export function recordsOfTests(): readonly AuditRecord[] {
  const records = shippedRunbooks().flatMap((runbook) =>
    runbook.tests.flatMap((test, index) =>
      givenRecords(
        test.given.map((given) => withSessions(given, `${runbook.id}-${index}`)),
        nowMs,
      ),
    ),
  );
  return records.map((record, index) =>
    Object.assign({}, record, { eventID: `01900000-0000-7000-8000-${String(index).padStart(12, '0')}` }),
  );
}

function withSessions(given: GivenEvent, prefix: string): GivenEvent {
  const session = given.fields['session'];
  if (typeof session !== 'string') return given;
  return { ...given, fields: { ...given.fields, session: `${prefix}-${session}` } };
}

/** Objects of the evidence bucket that hold these records, a segment for each day. */
export function eventObjects(records: readonly AuditRecord[]): ReadonlyMap<string, Buffer> {
  const lines = new Map<string, string[]>();
  for (const record of records) {
    const day = (record.additionalEventData['ingestTime'] ?? record.eventTime).slice(0, 10);
    lines.set(day, [...(lines.get(day) ?? []), `${JSON.stringify(record)}\n`]);
  }
  return new Map(
    [...lines].map(([day, each]) => [
      `events/dt=${day}/task-1/000000000001.ndjson.gz`,
      gzipSync(each.join('')),
    ]),
  );
}
