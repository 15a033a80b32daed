import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cellText } from '../../cli/output.ts';
import type { Transport } from '../../ssh/transport/index.ts';
import { MessageNumber, WireWriter } from '../../ssh/wire/index.ts';
import { type ForkedGateway, forkGateway } from '../support/forked-gateway.ts';
import type { ProcessMemory } from '../support/gateway-process.ts';
import { type PreparedGateway, prepareGateway } from '../support/prepared-gateway.ts';
import { run } from '../support/run.ts';
import { connectLoggedIn, nextMessage, openedSession, settled, untilWithin } from './attacker.ts';
import {
  channelData,
  channelRequest,
  exec,
  globalRequest,
  openSession,
  ping,
  terminal,
  windowChange,
} from './messages.ts';

const promptlyMs = 10_000;
const maxChannels = 20;
/** Channels that somebody asks for who has no use for them. */
const flood = 100_000;

let prepared: PreparedGateway;
let gateway: ForkedGateway;
let port: number;
let before: ProcessMemory;

beforeAll(async () => {
  prepared = await prepareGateway({ gatewayConfiguration: [`maxChannelsPerConnection: ${maxChannels}`] });
  gateway = forkGateway(prepared.data.root);
  port = await gateway.port;
  await expectGoodClient();
  (await logIn()).cut(11, 'warmed up');
  before = await gateway.memory();
});

afterAll(async () => {
  await gateway?.close();
  await prepared?.remove();
});

function logIn(): Promise<Transport> {
  return connectLoggedIn(port, `${prepared.login}@web-1`, prepared.engineerKey);
}

async function expectGoodClient(): Promise<void> {
  const finished = await run('ssh', [
    ...prepared.sshOptions(port),
    prepared.destination(),
    'echo still here',
  ]);
  expect(finished.stdout.toString(), finished.stderr).toBe('still here\n');
}

async function expectBoundedMemory(): Promise<void> {
  const after = await gateway.memory();
  expect((after.peak - before.peak) / 1024 / 1024).toBeLessThan(96);
  expect((after.buffers - before.buffers) / 1024 / 1024).toBeLessThan(32);
}

/** Sends so many copies, as fast as the connection takes them, or until it ends. */
async function sendMany(transport: Transport, count: number, payload: Uint8Array): Promise<void> {
  const over = settled(transport.ended);
  for (let sent = 0; sent < count && !over.aborted; sent += 1) {
    transport.send(payload);
    while (!over.aborted && transport.backlogBytes > 1_048_576) await sleep(1);
  }
}

test('who sends beyond the window is disconnected, and the session ends on record as a protocol error', async () => {
  const transport = await logIn();
  const channel = await openedSession(transport, 2_097_152);
  transport.send(exec(channel, 'exec sleep 600'));

  await sendMany(transport, 2000, channelData(channel, Buffer.alloc(32_000)));

  const end = await untilWithin(promptlyMs, 'the end of the connection', transport.ended);
  expect(end).toMatchObject({ kind: 'disconnect', code: 2 });
  await expectGoodClient();
  await expectBoundedMemory();
  expect(
    await prepared.eventually("SELECT session_id FROM sessions WHERE end_reason = 'ProtocolError'"),
  ).toHaveLength(1);
});

test('who asks for a hundred thousand channels gets as many as are allowed, and is cut', async () => {
  const transport = await logIn();
  const answers = { opened: 0, refused: 0 };
  transport.onMessage = (plain) => {
    if (plain[1] === MessageNumber.channelOpenConfirmation) answers.opened += 1;
    if (plain[1] === MessageNumber.channelOpenFailure) answers.refused += 1;
  };
  const over = settled(transport.ended);

  for (let number = 0; number < flood && !over.aborted; number += 1) {
    transport.send(openSession(number));
    while (!over.aborted && transport.backlogBytes > 1_048_576) await sleep(1);
  }

  const end = await untilWithin(promptlyMs, 'the end of the connection', transport.ended);
  expect(end).toMatchObject({ kind: 'disconnect', code: 2 });
  await expectGoodClient();
  await expectBoundedMemory();
  expect(answers.opened).toBeLessThanOrEqual(maxChannels);
  expect(answers.refused).toBeGreaterThanOrEqual(900);
  expect(answers.refused).toBeLessThan(flood / 10);
});

test('a client that is refused a channel now and then goes on', async () => {
  const transport = await logIn();
  const answers = { opened: 0, refused: 0 };
  let answered = () => undefined as void;
  transport.onMessage = (plain) => {
    if (plain[1] === MessageNumber.channelOpenConfirmation) answers.opened += 1;
    if (plain[1] === MessageNumber.channelOpenFailure) answers.refused += 1;
    answered();
  };
  const asked = maxChannels + 500;

  for (let number = 0; number < asked; number += 1) transport.send(openSession(number));
  const all = new Promise<void>((resolve) => {
    answered = () => {
      if (answers.opened + answers.refused === asked) resolve();
    };
    answered();
  });

  await untilWithin(promptlyMs, 'an answer to every request', all);
  // sshd has a limit of its own, which is higher.
  expect(answers).toEqual({ opened: maxChannels, refused: 500 });
  transport.cut(11, 'enough');
});

test('who floods a terminal with requests has a session, and nobody else has less', async () => {
  const transport = await logIn();
  const channel = await openedSession(transport, 2_097_152);
  transport.send(terminal(channel, 'xterm'));
  transport.send(exec(channel, 'exec sleep 600'));

  await Promise.all([
    sendMany(transport, 40_000, windowChange(channel, 100)),
    sendMany(transport, 20_000, channelRequest(channel, 'flood@example.com', false)),
    expectGoodClient(),
  ]);

  await expectBoundedMemory();
  transport.cut(11, 'enough');
});

test('who asks without end and reads no answer is disconnected', async () => {
  const asking = await logIn();
  asking.setReadPaused(true);
  const pinging = await logIn();
  pinging.setReadPaused(true);

  await Promise.all([
    sendMany(asking, 300_000, globalRequest('flood@example.com')),
    sendMany(pinging, 20_000, ping(1024)),
    expectGoodClient(),
  ]);

  asking.setReadPaused(false);
  pinging.setReadPaused(false);
  const ends = Promise.all([asking.ended, pinging.ended]);
  expect(await untilWithin(promptlyMs, 'the end of both', ends)).not.toContainEqual(
    expect.objectContaining({ kind: 'local' }),
  );
  await expectBoundedMemory();
});

test('who grants any window and never reads makes the target wait, not the gateway grow', async () => {
  const transports = await Promise.all([logIn(), logIn(), logIn()]);
  for (const transport of transports) {
    const channel = await openedSession(transport, 0xffffffff);
    const started = nextMessage(transport, MessageNumber.channelData);
    transport.send(exec(channel, 'exec cat /dev/zero'));
    await started;
    transport.setReadPaused(true);
  }

  for (let count = 0; count < 3; count += 1) {
    await expectGoodClient();
    await expectBoundedMemory();
  }

  for (const transport of transports) transport.cut(11, 'enough');
});

test('who asks for a second program on a channel does not get one, and keeps its recording', async () => {
  const transport = await logIn();
  const channel = await openedSession(transport, 2_097_152);
  const closed = nextMessage(transport, MessageNumber.channelClose);
  transport.send(exec(channel, 'echo first program; sleep 1; echo still the first'));
  transport.send(exec(channel, 'echo second program'));
  transport.send(channelRequest(channel, 'shell', true));

  await closed;
  transport.disconnect(11, 'done');

  const commands = await prepared.eventually(
    `SELECT c.session_id, e.error_code FROM commands c JOIN events e ON e.event_id = c.event_id WHERE c.command = 'echo second program'`,
  );
  expect(commands).toMatchObject([{ error_code: 'ProtocolError' }]);
  const stored = await prepared.eventually(
    `SELECT response FROM events WHERE event_name = 'StoreRecording' AND session_id = '${cellText(commands[0]?.['session_id'] ?? null)}'`,
  );
  expect(stored).toHaveLength(1);
  expect(await prepared.query("SELECT event_name FROM events WHERE event_name = 'ReportAuditLoss'")).toEqual(
    [],
  );
});

test('a command in place of a subsystem that the target does not have is no second program', async () => {
  const transport = await logIn();
  const channel = await openedSession(transport, 2_097_152);
  const failed = nextMessage(transport, MessageNumber.channelFailure);
  transport.send(channelRequest(channel, 'subsystem', true, new WireWriter().string('no-such').finish()));
  await failed;
  const started = nextMessage(transport, MessageNumber.channelSuccess);

  transport.send(exec(channel, 'echo instead'));

  expect((await started).readUInt32BE(1)).toBe(0);
  transport.cut(11, 'enough');
});

test('after all of that a stock client logs in, and nobody had to be told of a fault', async () => {
  await expectGoodClient();

  expect(gateway.reports).toEqual([]);
});
