import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Row } from '#core/contract';
import type { Transport } from '#ssh';
import { connectEncrypted, connectLoggedIn, openedSession, untilWithin } from '../hostile/attacker.ts';
import { exec, globalRequest, keyQuery, openSession, serviceRequest } from '../hostile/messages.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack({
    gatewayConfiguration: [
      'maxKeyOffers: 3',
      'maxChannelsPerConnection: 2',
      'maxForwards: 1',
      'maxUnansweredRequests: 4',
      'maxUnansweredChannelRequests: 4',
      'writeStallSeconds: 5',
      'keepalive: { seconds: 1, maxUnanswered: 2 }',
    ],
  });
});

afterAll(() => stack?.close());

async function attacker(): Promise<Transport> {
  const { port } = stack.running.gateway.address;
  const transport = await connectLoggedIn(port, `${stack.login}@web-1`, stack.engineerKey);
  onTestFinished(() => transport.cut(11, 'the test is over'));
  return transport;
}

/** How the session of this kind of connection ended, once it has. */
async function endWith(detail: string): Promise<Row | undefined> {
  const [row] = await stack.eventually(
    `SELECT end_reason, error_code FROM events WHERE event_name = 'EndSession' AND response LIKE '%${detail}%'`,
  );
  return row;
}

test('channels beyond the limit are refused, which is one event however often it is tried', async () => {
  const transport = await attacker();
  await openedSession(transport, 1000, 0);
  await openedSession(transport, 1000, 1);

  for (let number = 2; number < 50; number += 1) transport.send(openSession(number));

  const events = await stack.eventually(
    "SELECT event_name, error_code FROM events WHERE deny_reason = 'too-many-channels'",
  );
  expect(events).toEqual([{ event_name: 'DenyAccess', error_code: 'SessionLimitExceeded' }]);
});

test('forwards beyond the limit are refused, with an event, and the session goes on', async () => {
  const finished = await stack.ssh(['-R', '0:127.0.0.1:1', '-R', '0:127.0.0.1:2', 'echo still here']);

  expect(finished.stdout.toString(), finished.stderr).toBe('still here\n');
  expect(finished.stderr).toContain('remote port forwarding failed');
  const [event] = await stack.eventually(
    "SELECT event_name, error_code FROM events WHERE deny_reason = 'too-many-forwards'",
  );
  expect(event).toEqual({ event_name: 'DenyAccess', error_code: 'SessionLimitExceeded' });
});

test('requests that pile up without an answer end the session, and its end says so', async () => {
  const transport = await attacker();

  for (let count = 0; count < 50; count += 1) transport.send(globalRequest('question@example.com'));

  await untilWithin(10_000, 'the end of the connection', transport.ended);
  expect(await endWith('too many unanswered global requests')).toEqual({
    end_reason: 'ProtocolError',
    error_code: 'ProtocolError',
  });
});

test('a client that takes none of its output for too long is cut off, and its end says so', async () => {
  const transport = await attacker();
  const channel = await openedSession(transport, 2 ** 31, 0);
  transport.send(exec(channel, 'cat /dev/zero'));
  transport.setReadPaused(true);
  // It is there, as everybody can hear.
  const talk = setInterval(() => transport.send(globalRequest('talk@example.com', false)), 300);
  onTestFinished(() => clearInterval(talk));

  expect(await endWith('took no output for 5000 ms')).toMatchObject({ end_reason: 'Error' });
});

test('a client that vanished is noticed by its silence', async () => {
  const client = spawn('ssh', [...stack.sshOptions, stack.destination(), 'echo ready; sleep 60']);
  const exited = new Promise((resolve) => client.once('exit', resolve));
  onTestFinished(async () => {
    client.kill('SIGKILL');
    await exited;
  });
  await new Promise((resolve) => client.stdout.once('data', resolve));

  // It holds its connection, and answers nothing any more.
  client.kill('SIGSTOP');

  expect(await endWith('the client does not answer')).toMatchObject({ end_reason: 'ClientDisconnect' });
});

test('keys may be asked about no more often than the limit says', async () => {
  const transport = await connectEncrypted(stack.running.gateway.address.port);
  transport.send(serviceRequest);

  for (let count = 0; count < 4; count += 1) transport.send(keyQuery(`${stack.login}@web-1`));

  const end = await untilWithin(10_000, 'the end of the connection', transport.ended);
  expect(end.description).toContain('too many keys were offered');
  const [event] = await stack.eventually(
    "SELECT error_code FROM events WHERE event_name = 'AuthenticateUser' AND error_message LIKE '%too many keys%'",
  );
  expect(event).toEqual({ error_code: 'AuthenticationFailed' });
});

test('an address whose peers broke the protocol has to wait before more of it are taken', async () => {
  const strict = await startStack({ gatewayConfiguration: ['maxStartsPerSourcePerMinute: 60'] });
  onTestFinished(() => strict.close());
  const { port } = strict.running.gateway.address;
  const before = await strict.ssh(['echo taken']);

  for (let time = 0; time < 2; time += 1) {
    const transport = await connectLoggedIn(port, `${strict.login}@web-1`, strict.engineerKey);
    transport.send(exec(4711, 'true'));
    await untilWithin(10_000, 'the end of the connection', transport.ended);
  }
  const after = await strict.ssh(['echo taken']);

  expect(before.stdout.toString(), before.stderr).toBe('taken\n');
  expect([after.code, after.stdout.toString()]).toEqual([255, '']);
  const events = await strict.eventually(
    "SELECT error_code, source_ip FROM events WHERE deny_reason = 'starting-too-fast'",
  );
  expect(events).toEqual([{ error_code: 'SessionLimitExceeded', source_ip: '127.0.0.1' }]);
});
