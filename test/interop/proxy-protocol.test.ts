import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { header, tcp4, tcp6, tlv } from '../proxy-task/proxy-header.ts';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';

const balancer = '127.0.0.9';
let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ gatewayConfiguration: [`proxyProtocol: { from: [${balancer}/32, '::1'] }`] });
});

afterAll(() => stack?.close());

type Sender = (socket: Socket) => void | Promise<void>;

/** A load balancer in front of the gateway that sends `first` before what the client sends. */
async function balancing(first: Sender, from: string = balancer): Promise<number> {
  const open = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (client) => {
    const { port } = stack.running.gateway.address;
    const gateway = createConnection({ port, host: '127.0.0.1', localAddress: from, noDelay: true });
    for (const socket of [client, gateway]) {
      open.add(socket);
      socket.on('error', () => undefined);
    }
    client.once('close', () => gateway.destroy());
    gateway.once('close', () => client.destroy());
    gateway.once('connect', () => void relay(client, gateway, first));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the balancer does not listen');
  return address.port;
}

async function relay(client: Socket, gateway: Socket, first: Sender): Promise<void> {
  await first(gateway);
  client.pipe(gateway);
  gateway.pipe(client);
}

function sshThrough(port: number, command: string) {
  const options = stack.sshOptions.map((option) => (option.startsWith('Port=') ? `Port=${port}` : option));
  return run('ssh', [...options, stack.destination(), command]);
}

async function sourceOf(command: string): Promise<unknown> {
  const [event] = await stack.eventually(
    `SELECT source_ip FROM events WHERE event_name = 'ExecuteCommand' AND command = '${command}'`,
  );
  return event?.['source_ip'];
}

const source6 = Buffer.from('20010db8000000000000000000000001', 'hex');

test.each<[name: string, address: string, first: Sender]>([
  ['of an IPv4 client', '203.0.113.9', (socket) => void socket.write(tcp4([203, 0, 113, 9], 40_000))],
  ['of an IPv6 client', '2001:db8::1', (socket) => void socket.write(tcp6(source6, 40_000))],
  [
    'with additions',
    '203.0.113.10',
    (socket) => void socket.write(tcp4([203, 0, 113, 10], 40_000, tlv(0xea, Buffer.alloc(100)))),
  ],
  [
    'that comes byte by byte',
    '203.0.113.11',
    async (socket) => {
      for (const byte of tcp4([203, 0, 113, 11], 40_000)) {
        socket.write(Buffer.of(byte));
        await sleep(1);
      }
    },
  ],
  ["of the balancer's own", balancer, (socket) => void socket.write(header(0x20, 0, Buffer.alloc(0)))],
])('a header %s names the source of everything that follows', async (name, address, first) => {
  const port = await balancing(first);
  const command = `echo ${name.replace(/\W/g, '-')}`;

  const finished = await sshThrough(port, command);

  expect(finished.code, finished.stderr).toBe(0);
  expect(await sourceOf(command)).toBe(address);
});

test('what follows the header in the same segment is SSH', async () => {
  const { port } = stack.running.gateway.address;
  const socket = createConnection({ port, host: '127.0.0.1', localAddress: balancer });
  onTestFinished(() => void socket.destroy());
  let said = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    said = Buffer.concat([said, chunk]);
  });

  socket.write(Buffer.concat([tcp4([203, 0, 113, 12], 1), Buffer.from('SSH-2.0-OpenSSH_9.9\r\n')]));
  const deadline = Date.now() + 10_000;
  // The gateway answers an identification with its KEXINIT.
  while (!said.includes('curve25519') && Date.now() < deadline) await sleep(10);

  expect(said.toString('latin1')).toMatch(/^SSH-2\.0-sshtrail_.*curve25519-sha256/s);
});

async function refusedFrom(address: string): Promise<unknown> {
  const [event] = await stack.eventually(
    `SELECT deny_reason FROM events WHERE event_name = 'RefuseConnection' AND source_ip = '${address}'`,
  );
  return event?.['deny_reason'];
}

test('a balancer that says nothing of its client is refused, with an event', async () => {
  const port = await balancing(() => undefined);

  const finished = await sshThrough(port, 'true');

  expect(finished.code).toBe(255);
  expect(await refusedFrom(balancer)).toBe('proxy-header-missing');
});

test('version 1 is refused', async () => {
  const port = await balancing((socket) => {
    socket.write('PROXY TCP4 203.0.113.9 192.0.2.1 51234 22\r\n');
  });

  expect((await sshThrough(port, 'true')).code).toBe(255);
});

test('nobody else is believed: a header from elsewhere is a broken identification', async () => {
  const port = await balancing((socket) => void socket.write(tcp4([203, 0, 113, 99], 1)), '127.0.0.8');

  const finished = await sshThrough(port, 'true');

  expect(finished.code).toBe(255);
  expect(await refusedFrom('127.0.0.8')).toBe('protocol-error');
  expect(await stack.query("SELECT 1 FROM events WHERE source_ip = '203.0.113.99'")).toEqual([]);
});

test('who comes without a balancer needs no header', async () => {
  const finished = await stack.ssh(['echo direct']);

  expect(finished.code, finished.stderr).toBe(0);
  expect(await sourceOf('echo direct')).toBe('127.0.0.1');
});
