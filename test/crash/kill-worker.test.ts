import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { openSqliteControlStore } from '#adapters/local';
import { verifyData } from '../../cli/verify.ts';
import { connectClient, connectSocket, type EndpointChannel, linkFromSocket } from '../../ssh/index.ts';
import { type CommandServer, startCommandServer } from '../support/command-server.ts';
import { type ForkedGateway, forkGateway } from '../support/forked-gateway.ts';
import { type PreparedGateway, prepareGateway } from '../support/prepared-gateway.ts';

const sessions = 200;
const closedWithinMs = 5_000;

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

test('a worker that is killed costs its own sessions, which are closed on record, and is replaced', async () => {
  const { prepared, gateway, clients } = await twoWorkersWithSessions(sessions);
  const byWorker = await sessionsByProxy(prepared);
  const [left, right] = [byWorker.get('gateway-1-w1') ?? 0, byWorker.get('gateway-1-w2') ?? 0];
  expect(left + right).toBe(sessions);
  // Connections go to whoever is free.
  expect(Math.min(left, right)).toBeGreaterThan(0);

  process.kill(writerOf(prepared, 'gateway-1-w1'), 'SIGKILL');
  const killedAtMs = Date.now();
  const { ended } = await until(
    async () => (await verifyData(prepared.data, Date.now)).sessions,
    (counts) => counts.ended >= left,
  );
  const tookMs = Date.now() - killedAtMs;

  expect(ended).toBe(left);
  expect(tookMs).toBeLessThan(closedWithinMs);
  const alive = clients.filter((client) => !client.hasEnded);
  expect(alive).toHaveLength(right);
  expect(await Promise.all(alive.map((client) => client.echo('still here')))).toEqual(
    alive.map(() => 'still here'),
  );
  const ends = await prepared.query(
    "SELECT proxy_id, end_reason, count(*) AS n FROM events WHERE event_name = 'EndSession' GROUP BY 1, 2",
  );
  expect(ends).toEqual([{ proxy_id: 'gateway-1-w1', end_reason: 'ProxyLost', n: BigInt(left) }]);

  await until(
    async () => startsOf(prepared, 'gateway-1-w1'),
    (starts) => starts === 2,
  );
  const again = await Promise.all(Array.from({ length: 10 }, () => openClient(prepared, gateway)));
  expect(await Promise.all(again.map((client) => client.echo('back')))).toEqual(again.map(() => 'back'));
  expect((await sessionsByProxy(prepared)).get('gateway-1-w1')).toBeGreaterThan(0);

  await gateway.close();
  const verification = await verifyData(prepared.data, Date.now);
  expect(verification.problems).toEqual([]);
  expect(verification.sessions).toMatchObject({ started: sessions + 10, ended: sessions + 10, live: 0 });
  expect(verification.recordings.intact).toBe(verification.recordings.stored);
  expect(gateway.reports).toEqual(['worker 1 has died (SIGKILL); what it left is being closed']);
}, 120_000);

test('a revocation reaches the worker that has the session, and no other session', async () => {
  const { prepared, clients } = await twoWorkersWithSessions(6);
  const control = await openSqliteControlStore(prepared.data.control, { now: Date.now });
  cleanUps.push(() => control.close());
  const first = (await control.list('session')).find(({ data }) => data.proxyId === 'gateway-1-w2');
  if (first === undefined) throw new Error('the second worker has no session');

  await control.put(
    'revocation',
    first.id,
    {
      sessionId: first.data.sessionId,
      by: 'oncall@example.com',
      message: 'a test ends it',
      atMs: Date.now(),
    },
    { kind: 'any' },
  );

  await until(
    async () => clients.filter((client) => client.hasEnded).length,
    (ended) => ended === 1,
  );
  const ends = await prepared.eventually(
    "SELECT session_id, proxy_id, end_reason FROM events WHERE event_name = 'EndSession'",
  );
  expect(ends).toEqual([{ session_id: first.id, proxy_id: 'gateway-1-w2', end_reason: 'Revoked' }]);
});

test('policies reach every worker and are on record once, and a worker that starts while bad ones stand there has the good ones', async () => {
  const { prepared, gateway, clients } = await twoWorkersWithSessions(6);
  const both = ['gateway-1-w1', 'gateway-1-w2'];
  expect([...(await sessionsByProxy(prepared)).keys()].sort()).toEqual(both);
  const good = readFileSync(prepared.data.policy, 'utf8');
  const said = (text: string) =>
    until(
      async () => gateway.reports.find((line) => line.includes(text)),
      (line) => line !== undefined,
    );

  writeFileSync(
    prepared.data.policy,
    `${good}@id("bad") forbid (principal, action, resource) when { context.nonsense };`,
  );
  const bad = await said('cannot be used, so the ones before stay');
  process.kill(writerOf(prepared, 'gateway-1-w1'), 'SIGKILL');
  const again = await said('worker 1 starts again with the policies in force');
  await until(
    async () => startsOf(prepared, 'gateway-1-w1'),
    (starts) => starts === 2,
  );
  clients.push(...(await Promise.all(Array.from({ length: 6 }, () => openClient(prepared, gateway)))));
  const whileBad = await sessionsByProxy(prepared);
  const alive = clients.filter((client) => !client.hasEnded);

  writeFileSync(
    prepared.data.policy,
    `${good}@id("no-echo") @advice("ask the lead") forbid (principal, action == Action::"connect", resource == Host::"echo-1");`,
  );
  await until(
    async () => alive.filter((client) => !client.hasEnded).length,
    (left) => left === 0,
  );
  const denied = await until(
    async () => {
      await Promise.allSettled(Array.from({ length: 4 }, () => openClient(prepared, gateway)));
      return proxiesOf(prepared, "event_name = 'DenyAccess' AND deny_reason = 'forbidden-by-policy'");
    },
    (proxies) => proxies.length === 2,
  );

  expect(bad).toMatch(/policy\.cedar:2:\d+ .*nonsense/);
  expect(again).toMatch(/policy\.cedar:2:\d+ .*nonsense/);
  expect([...whileBad.keys()].sort()).toEqual(both);
  expect(denied).toEqual(both);
  expect(await proxiesOf(prepared, "end_reason = 'PolicyChanged'")).toEqual(both);
  const changes = await prepared.query("SELECT proxy_id, request FROM events WHERE event_name = 'PutPolicy'");
  expect(changes).toEqual([{ proxy_id: 'gateway-1', request: expect.stringContaining('"added":"no-echo"') }]);

  await gateway.close();
  writeFileSync(prepared.data.policy, `${good}nonsense`);
  await expect(forkGateway(prepared.data.root).port).rejects.toThrow(/policy\.cedar:2:\d+ /);
}, 120_000);

test('fewer workers than before close what those left that are no more', async () => {
  const { prepared, gateway } = await twoWorkersWithSessions(4);
  const supervisor = writerOf(prepared, 'gateway-1');
  const workers = ['gateway-1-w1', 'gateway-1-w2'].map((stream) => writerOf(prepared, stream));

  for (const pid of [supervisor, ...workers]) process.kill(pid, 'SIGKILL');
  await gateway.exited;
  const file = prepared.data.configuration;
  writeFileSync(file, readFileSync(file, 'utf8').replace('workers: 2', 'workers: 1'));
  const one = forkGateway(prepared.data.root);
  cleanUps.push(() => one.kill());
  await one.port;

  const verification = await verifyData(prepared.data, Date.now);
  expect(verification.problems).toEqual([]);
  expect(verification.sessions).toMatchObject({ started: 4, ended: 4, live: 0 });
});

type Client = {
  readonly hasEnded: boolean;
  /** What comes back for a line that is sent. */
  echo(line: string): Promise<string>;
};

async function twoWorkersWithSessions(count: number): Promise<{
  readonly prepared: PreparedGateway;
  readonly gateway: ForkedGateway;
  readonly clients: Client[];
}> {
  const server = await startEchoServer();
  cleanUps.push(() => server.close());
  const prepared = await prepareGateway({
    gatewayConfiguration: ['workers: 2'],
    targets: `  - name: echo-1
    host: 127.0.0.1
    port: ${server.port}
    hostKeys: [${JSON.stringify(server.knownHostsLine.split(' ').slice(1).join(' '))}]`,
  });
  cleanUps.push(() => prepared.remove());
  const gateway = forkGateway(prepared.data.root);
  cleanUps.push(() => gateway.kill());
  await gateway.port;
  const clients: Client[] = [];
  for (let opened = 0; opened < count; opened += 10) {
    const some = Array.from({ length: Math.min(10, count - opened) }, () => openClient(prepared, gateway));
    clients.push(...(await Promise.all(some)));
  }
  return { prepared, gateway, clients };
}

function startEchoServer(): Promise<CommandServer> {
  return startCommandServer({
    authenticator: {
      acceptsKey: async () => true,
      keyProven: async () => ({ kind: 'success' }),
      startInteractive: async () => ({ kind: 'done', verdict: { kind: 'failure' } }),
      continueInteractive: async () => ({ kind: 'done', verdict: { kind: 'failure' } }),
      attemptFailed: async () => undefined,
    },
    methods: ['publickey'],
    maxAttempts: 3,
    graceMs: 30_000,
  });
}

async function openClient(prepared: PreparedGateway, gateway: ForkedGateway): Promise<Client> {
  const socket = await connectSocket({ host: '127.0.0.1', port: await gateway.port, timeoutMs: 30_000 });
  const { endpoint, transport } = await connectClient({
    link: linkFromSocket(socket),
    user: `${prepared.login}@echo-1`,
    credentials: [{ method: 'publickey', privateKey: prepared.engineerKey }],
    verifyHostKey: () => ({ accepted: true }),
  });
  const channel = await endpoint.openSession();
  await channel.request('exec', { kind: 'exec', command: Buffer.from('cat') }, true);
  let hasEnded = false;
  void transport.ended.then(() => {
    hasEnded = true;
  });
  return {
    get hasEnded() {
      return hasEnded;
    },
    echo: (line) => echoOf(channel, line),
  };
}

function echoOf(channel: EndpointChannel, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    channel.on('error', reject);
    channel.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.endsWith('\n')) resolve(text.trimEnd());
    });
    channel.write(`${line}\n`);
  });
}

async function sessionsByProxy(prepared: PreparedGateway): Promise<ReadonlyMap<string, number>> {
  const control = await openSqliteControlStore(prepared.data.control, { now: Date.now });
  try {
    const counts = new Map<string, number>();
    for (const { data } of await control.list('session'))
      counts.set(data.proxyId, (counts.get(data.proxyId) ?? 0) + 1);
    return counts;
  } finally {
    await control.close();
  }
}

/** The process that writes to a stream, as it left its number beside the stream's lock. */
function writerOf(prepared: PreparedGateway, stream: string): number {
  const holder: unknown = JSON.parse(
    readFileSync(join(prepared.data.journal, stream, 'writer.json'), 'utf8'),
  );
  if (typeof holder !== 'object' || holder === null || !('pid' in holder) || typeof holder.pid !== 'number')
    throw new Error(`nobody writes to ${stream}`);
  return holder.pid;
}

async function proxiesOf(prepared: PreparedGateway, where: string): Promise<readonly unknown[]> {
  const rows = await prepared.query(`SELECT DISTINCT proxy_id FROM events WHERE ${where} ORDER BY 1`);
  return rows.map((row) => row['proxy_id']);
}

async function startsOf(prepared: PreparedGateway, proxyId: string): Promise<number> {
  const rows = await prepared.query(
    `SELECT count(*) AS n FROM events WHERE event_name = 'StartProxy' AND proxy_id = '${proxyId}'`,
  );
  return Number(rows[0]?.['n']);
}

async function until<T>(look: () => Promise<T>, done: (seen: T) => boolean): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const seen = await look();
    if (done(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`not within 20 s; seen last: ${JSON.stringify(seen)}`);
    await sleep(50);
  }
}
