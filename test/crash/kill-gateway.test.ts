import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { AuditRecord } from '#core/contract';
import { verifyData } from '../../cli/verify.ts';
import { type ForkedGateway, forkGateway } from '../support/forked-gateway.ts';
import { type PreparedGateway, prepareGateway } from '../support/prepared-gateway.ts';
import { type Load, startLoad } from './load.ts';

const kills = 20;
/** Every so often a gateway is killed while it mends what the one before left. */
const whileMending = 4;

test('a gateway that is killed under load, over and over, loses nothing that it acknowledged', async () => {
  const prepared = await prepareGateway();
  const loads: Load[] = [];
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      const gateway = forkGateway(prepared.data.root);
      if (kill % whileMending === whileMending - 1) {
        await gateway.opening;
        await sleep(Math.random() * 60);
        await gateway.kill();
        continue;
      }
      const port = await gateway.port;
      await nothingIsLost(prepared, loads);
      const load = startLoad(prepared, port, `load-${kill}`);
      loads.push(load);
      await load.reaches(2 + (kill % 5) * 3);
      await sleep(Math.random() * 100);
      await gateway.kill();
      await load.over();
    }

    const last = forkGateway(prepared.data.root);
    await last.port;
    await nothingIsLost(prepared, loads);
    await killedSessionsAreWhole(prepared, loads, last);
    await last.close();
    expect((await verifyData(prepared.data, Date.now)).problems).toEqual([]);
  } finally {
    await prepared.remove();
  }
}, 300_000);

/** A gateway has just started and serves nobody yet: all that was before has its end, and all that clients saw is there. */
async function nothingIsLost(prepared: PreparedGateway, loads: readonly Load[]): Promise<void> {
  const verification = await verifyData(prepared.data, Date.now);
  expect(verification.problems).toEqual([]);
  expect(verification.sessions.ended).toBe(verification.sessions.started);
  expect(verification.recordings.intact).toBe(verification.recordings.stored);

  const records = await lakeRecords(prepared);
  const named = new Set(records.map(({ responseElements }) => responseElements['recordingKey']));
  expect((await manifestKeys(prepared)).filter((key) => !named.has(key))).toEqual([]);
  const started = new Set(
    records.filter(({ eventName }) => eventName === 'StartSession').map((record) => sessionOf(record)),
  );
  const sessionsByCommand = new Map(
    records
      .filter(({ eventName }) => eventName === 'ExecuteCommand')
      .map((record) => [record.requestParameters['command'], sessionOf(record)]),
  );
  const lost = loads
    .flatMap(({ acknowledged }) => [...acknowledged])
    .filter((marker) => !started.has(sessionsByCommand.get(`echo ${marker}`)));
  expect(lost).toEqual([]);
}

async function killedSessionsAreWhole(
  prepared: PreparedGateway,
  loads: readonly Load[],
  last: ForkedGateway,
): Promise<void> {
  const records = await lakeRecords(prepared);
  const named = (name: string) => records.filter(({ eventName }) => eventName === name);
  const killed = new Set(
    named('EndSession')
      .filter(({ requestParameters, responseElements }) =>
        [...Object.values(requestParameters), ...Object.values(responseElements)].includes('ProxyLost'),
      )
      .map(sessionOf),
  );
  const recorded = new Set(named('StoreRecording').map(sessionOf));
  const shells = named('OpenShell').map(sessionOf);

  expect(last.reports).toEqual([]);
  expect(loads.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)).toBeGreaterThan(kills);
  expect(killed.size).toBeGreaterThan(kills);
  // One that was killed before it showed anything may have none.
  const unseen = shells.length - loads.reduce((sum, { shellsSeen }) => sum + shellsSeen, 0);
  expect(unseen).toBeGreaterThanOrEqual(0);
  const unrecorded = shells.filter((session) => killed.has(session) && !recorded.has(session));
  expect(unrecorded.length).toBeLessThanOrEqual(unseen);
}

function sessionOf(record: AuditRecord): string | undefined {
  return record.additionalEventData['sessionId'];
}

async function manifestKeys(prepared: PreparedGateway): Promise<readonly string[]> {
  const folder = join(prepared.data.lake, 'recordings');
  if (!existsSync(folder)) return [];
  const files = await readdir(folder, { recursive: true });
  return files.filter((file) => file.endsWith('manifest.json')).map((file) => `recordings/${file}`);
}

async function lakeRecords(prepared: PreparedGateway): Promise<readonly AuditRecord[]> {
  const records: AuditRecord[] = [];
  for (const folder of [prepared.data.journal, join(prepared.data.lake, 'events')]) {
    if (!existsSync(folder)) continue;
    for (const file of await readdir(folder, { recursive: true })) {
      if (!/\.ndjson(\.gz)?$/.test(file)) continue;
      const bytes = await readFile(join(folder, file));
      const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
      for (const line of text.split('\n')) if (line !== '') records.push(JSON.parse(line));
    }
  }
  return records;
}
