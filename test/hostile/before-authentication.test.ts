import { createCipheriv } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Transport } from '../../ssh/transport/index.ts';
import { WireWriter } from '../../ssh/wire/index.ts';
import { type ForkedGateway, forkGateway } from '../support/forked-gateway.ts';
import type { ProcessMemory } from '../support/gateway-process.ts';
import { type PreparedGateway, prepareGateway } from '../support/prepared-gateway.ts';
import { run } from '../support/run.ts';
import {
  clearPacket,
  connectEncrypted,
  connectRaw,
  flood,
  floodMessages,
  kexInit,
  type RawConnection,
  untilWithin,
} from './attacker.ts';
import {
  channelData,
  globalRequest,
  ignore,
  keyQuery,
  openSession,
  ping,
  serviceRequest,
  userauth,
  userauthSuccess,
} from './messages.ts';

/** The least a configuration allows, so that peers that only wait are seen off soon. */
const loginGraceMs = 5000;
/** What is refused is refused at once; the rest of the time is for a machine that has other work. */
const promptlyMs = 4000;
const maxGrowthBytes = 64 * 1024 * 1024;

let prepared: PreparedGateway;
let gateway: ForkedGateway;
let port: number;
let before: ProcessMemory;

beforeAll(async () => {
  prepared = await prepareGateway({
    gatewayConfiguration: [
      'loginGraceSeconds: 5',
      // Attackers and the good client share one address here, so nothing but their own connections may be what ends them.
      'maxStartups: { begin: 1000, ratePercent: 30, full: 2000 }',
    ],
  });
  gateway = forkGateway(prepared.data.root);
  port = await gateway.port;
  // What a first session of each kind loads and caches is no growth.
  await expectGoodClient();
  (await connectEncrypted(port)).cut(11, 'warmed up');
  before = await gateway.memory();
});

afterAll(async () => {
  await gateway?.close();
  await prepared?.remove();
});

/** A stock client logs in and runs a command; the one thing no attacker may take away. */
async function expectGoodClient(): Promise<void> {
  const finished = await run(
    'ssh',
    [...prepared.sshOptions(port), '-o', 'ConnectTimeout=10', prepared.destination(), 'echo still here'],
    { timeoutMs: 20_000 },
  );
  expect(finished.stdout.toString(), finished.stderr).toBe('still here\n');
}

async function expectBoundedMemory(): Promise<void> {
  const after = await gateway.memory();
  expect((after.peak - before.peak) / 1024 / 1024).toBeLessThan(maxGrowthBytes / 1024 / 1024);
  expect((after.buffers - before.buffers) / 1024 / 1024).toBeLessThan(16);
}

/** The attack ends, a stock client works while it lasts, and the process is as small as before. */
async function expectSurvived(attack: Promise<unknown>, deadlineMs = promptlyMs): Promise<void> {
  const ended = untilWithin(deadlineMs, 'the end of the hostile connection', attack);
  await Promise.all([ended, expectGoodClient()]);
  await expectBoundedMemory();
}

/** Bytes without meaning, the same at each run. */
function noise(seed: number, length: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(length));
}

const version = 'SSH-2.0-attacker\r\n';

async function says(...parts: readonly (string | Uint8Array)[]): Promise<RawConnection> {
  const connection = await connectRaw(port);
  for (const part of parts) connection.socket.write(part);
  return connection;
}

const keepalive = globalRequest('keepalive@openssh.com');
const unasked = channelData(0, 'x');

describe('what is no SSH is shown out at once', () => {
  const openings: Record<string, string | Buffer> = {
    'an HTTP request': 'GET / HTTP/1.1\r\nHost: gateway\r\n\r\n',
    'a TLS hello': Buffer.from('1603010200010001fc0303', 'hex'),
    'a version of the protocol that was given up': 'SSH-1.5-old\r\n',
    'a version line that is too long': `SSH-2.0-${'x'.repeat(300)}\r\n`,
    'lines before the version': 'hello\r\nhello again\r\n',
    'a zero byte in the version': 'SSH-2.0-\0\r\n',
  };

  test.each(Object.entries(openings))('%s', async (_name, bytes) => {
    const connection = await says(bytes);

    await untilWithin(promptlyMs, 'the end of the connection', connection.closed);
  });

  test('streams of noise, and noise behind a proper version', async () => {
    const streams = Array.from({ length: 40 }, (_, seed) =>
      says(...(seed % 2 === 0 ? [] : [version]), noise(seed, 40_000)),
    );

    const connections = await Promise.all(streams);

    await expectSurvived(Promise.all(connections.map(({ closed }) => closed)));
  });

  test('lines that never end', async () => {
    const connection = await says();

    await expectSurvived(Promise.race([flood(connection, Buffer.alloc(65_536, 'x')), connection.closed]));
  });
});

describe('in the key exchange', () => {
  test.each([
    ['2^32 - 1 bytes', 0xffffffff],
    ['more than a packet may have', 262_145],
    ['2 GiB', 0x80000000],
    ['none', 0],
    ['less than a packet must have', 5],
  ])('a packet that announces %s ends its connection', async (_name, length) => {
    const header = Buffer.alloc(4);
    header.writeUInt32BE(length);
    const connection = await says(version, header, noise(1, 4096));

    await untilWithin(promptlyMs, 'the end of the connection', connection.closed);
  });

  test.each([
    ['CHANNEL_OPEN', openSession(0)],
    ['GLOBAL_REQUEST', keepalive],
    ['SERVICE_REQUEST', serviceRequest],
    ['USERAUTH_REQUEST', userauth('root@web-1', 'none')],
    ['USERAUTH_SUCCESS', userauthSuccess],
    ['CHANNEL_DATA', unasked],
    ['NEWKEYS', Buffer.of(21)],
    ['an unknown message', Buffer.of(250)],
  ])('%s in clear text ends its connection', async (_name, payload) => {
    const first = await says(version, clearPacket(payload));
    const second = await says(version, clearPacket(kexInit()), clearPacket(payload));

    await untilWithin(promptlyMs, 'the end of both', Promise.all([first.closed, second.closed]));
  });

  test('IGNORE without end ends its connection', async () => {
    const connection = await says(version);

    await expectSurvived(Promise.race([flood(connection, clearPacket(ignore(1024))), connection.closed]));
  });

  test('one KEXINIT after another ends its connection', async () => {
    const connection = await says(version);

    await expectSurvived(Promise.race([flood(connection, clearPacket(kexInit())), connection.closed]));
  });
});

describe('under its keys, before it has proved anything', () => {
  test.each([
    ['CHANNEL_OPEN', openSession(0)],
    ['GLOBAL_REQUEST', keepalive],
    ['USERAUTH_SUCCESS', userauthSuccess],
    ['CHANNEL_DATA', unasked],
    ['USERAUTH_REQUEST before a service', userauth('root@web-1', 'none')],
    ['a service that is none', new WireWriter().byte(5).string('ssh-connection').finish()],
    ['noise as a message', noise(3, 100)],
  ])('%s ends its connection', async (_name, payload) => {
    const transport = await connectEncrypted(port);

    transport.send(payload);

    const end = await untilWithin(promptlyMs, 'the end of the connection', transport.ended);
    expect(end.kind).toBe('disconnect');
  });

  test.each([
    ['CHANNEL_OPEN', openSession(0)],
    ['GLOBAL_REQUEST', keepalive],
  ])('%s after the service was accepted ends its connection', async (_name, payload) => {
    const transport = await connectEncrypted(port);
    transport.send(serviceRequest);

    transport.send(payload);

    const end = await untilWithin(promptlyMs, 'the end of the connection', transport.ended);
    expect(end.kind).toBe('disconnect');
  });

  test('a flood of global requests costs its own connection', async () => {
    await expectSurvived(floodOf(await connectEncrypted(port), keepalive));
  });

  test('a flood of logins is cut after the attempts that everybody has', async () => {
    const transport = await connectEncrypted(port);
    transport.send(serviceRequest);

    await expectSurvived(floodOf(transport, userauth('root@web-1', 'password')));
    const failed = await prepared.eventually(
      "SELECT error_message FROM events WHERE event_name = 'AuthenticateUser' AND error_code = 'AuthenticationFailed'",
    );
    expect(failed.length).toBeGreaterThan(0);
  });

  test('a flood of keys is cut, and is one event', async () => {
    const transport = await connectEncrypted(port);
    transport.send(serviceRequest);

    await expectSurvived(floodOf(transport, keyQuery('key-flood@web-1')));

    const events = await prepared.eventually(
      "SELECT event_name FROM events WHERE user_name = 'key-flood@web-1' OR json_extract_scalar(request, '$.claimedUser') = 'key-flood@web-1'",
    );
    expect(events).toHaveLength(1);
  });

  test('pings whose answers nobody reads end their connection', async () => {
    const transport = await connectEncrypted(port);
    transport.setReadPaused(true);

    // Ends by the limit of answers that are owed, or by the time to log in.
    await expectSurvived(floodOf(transport, ping(1024)), loginGraceMs + promptlyMs);
  });
});

describe('who only takes time', () => {
  test('is shown out when the time to log in is over, and keeps nobody else from logging in', async () => {
    const silent = Array.from({ length: 200 }, () => connectRaw(port));
    const halfClosed = says(version).then((connection) => {
      connection.socket.end();
      return connection;
    });
    const slow = [
      trickle(Buffer.from(`SSH-2.0-${'x'.repeat(200)}`)),
      trickle(Buffer.concat([Buffer.from(version), clearPacket(kexInit())])),
    ];
    const waiting = (await Promise.all([...silent, halfClosed])).map(({ closed }) => closed);
    const quiet = await connectEncrypted(port);
    const rekeying = rekeyForEver(await connectEncrypted(port));
    const ignoring = floodOf(await connectEncrypted(port), ignore(1024), 20);
    const neverReads = await connectEncrypted(port);
    neverReads.setReadPaused(true);

    await expectSurvived(
      Promise.all([...waiting, ...slow, quiet.ended, rekeying, ignoring]),
      loginGraceMs + 2 * promptlyMs,
    );

    // Its own transport does not see the end before it reads.
    neverReads.setReadPaused(false);
    await untilWithin(promptlyMs, 'the end of the one that never read', neverReads.ended);
  });
});

test('after all of that a stock client logs in, and nobody had to be told of a fault', async () => {
  await expectGoodClient();
  await expectBoundedMemory();
  expect(gateway.reports).toEqual([]);
});

async function floodOf(transport: Transport, payload: Uint8Array, batch?: number): Promise<void> {
  const ended = transport.ended.then(() => undefined);
  await Promise.race([floodMessages(transport, payload, batch), ended]);
  transport.cut(11, 'enough');
}

/** One byte at a time, and never the last one, until the connection is closed. */
async function trickle(bytes: Buffer): Promise<void> {
  const connection = await connectRaw(port);
  let sent = 0;
  const timer = setInterval(() => {
    if (sent < bytes.length - 1) connection.socket.write(bytes.subarray(sent, sent + 1));
    sent += 1;
  }, 20);
  await connection.closed;
  clearInterval(timer);
}

async function rekeyForEver(transport: Transport): Promise<void> {
  const timer = setInterval(() => transport.rekey(), 5);
  await transport.ended;
  clearInterval(timer);
}
