import net from 'node:net';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { modernAlgorithms } from '../../../ssh/algorithms/index.ts';
import { createEndpoint, type Endpoint, type EndpointChannel } from '../../../ssh/endpoint/index.ts';
import { generatePrivateKey } from '../../../ssh/keys/index.ts';
import { createRelay, type Relay, type RelayTaps } from '../../../ssh/relay/index.ts';
import {
  adoptConnection,
  connectSocket,
  createTransport,
  linkFromSocket,
  type Transport,
  type TransportLimits,
} from '../../../ssh/transport/index.ts';
import { patterned, readAll } from '../endpoint/endpoint-pair.ts';

const MEGABYTE = 1024 * 1024;
/** The target of a flood keeps what the relay does not read. */
const hoarding: Partial<TransportLimits> = { backlogLimitBytes: 64 * MEGABYTE };
const terminal = { kind: 'pty-req', term: 'xterm', columns: 80, rows: 24 } as const;

describe('a relay between real transports', () => {
  it('passes sessions whole in both directions at once while every leg rekeys every 256 KiB (R1)', async () => {
    const rig = await realRig({ legs: { rekeyBytes: 256 * 1024 }, peers: { rekeyBytes: 300 * 1024 } });
    const sent = patterned(3 * MEGABYTE, 1);

    const channel = await rig.client.openSession();
    await channel.request('exec', { kind: 'exec', command: Buffer.from('cat') }, true);
    const [echoed] = await Promise.all([readAll(channel), pipeline([sent], channel)]);

    expect(echoed.equals(sent)).toBe(true);
    expect(await channel.exited).toEqual({ kind: 'status', status: 7 });
    expect(rig.taps.bytes).toEqual({ client: sent.length, target: sent.length });
  });

  it('keeps every byte of a transfer that notices are written into (W2, W3)', async () => {
    const rig = await realRig();
    const sent = patterned(3 * MEGABYTE, 2).map((byte) => byte | 0x80);
    const channel = await rig.client.openSession();
    await channel.request('pty-req', terminal, true);
    await channel.request('exec', { kind: 'exec', command: Buffer.from('cat') }, true);

    let notices = 0;
    const received: Buffer[] = [];
    channel.on('data', (chunk: Buffer) => {
      received.push(chunk);
      notices += rig.relay.notice('the session ends soon');
    });
    channel.end(sent);
    await channel.exited;

    const line = '\r\nthe session ends soon\r\n';
    const all = Buffer.concat(received);
    const data = all.filter((byte) => byte >= 0x80);
    expect(notices).toBeGreaterThan(10);
    expect(all.length - data.length).toBe(notices * line.length);
    expect(Buffer.from(data).equals(sent)).toBe(true);
  });

  it('keeps channels apart, and half-closed streams open', async () => {
    const rig = await realRig();
    const contents = Array.from({ length: 8 }, (_, seed) => patterned(300_000 + seed, seed + 1));

    const echoed = await Promise.all(
      contents.map(async (content) => {
        const channel = await rig.client.openDirectTcpip({ host: 'db.example.com', port: 5432 });
        channel.end(content);
        return readAll(channel);
      }),
    );

    expect(echoed.map((bytes, at) => bytes.equals(contents[at] ?? Buffer.alloc(0)))).toEqual(
      Array(8).fill(true),
    );
    await expect.poll(() => rig.relay.channels.size).toBe(0);
  });

  it('buffers little for a client that stops reading, and a cut does not wait for it (W5, A6)', async () => {
    const rig = await realRig({ peers: hoarding });
    await flood(rig, 12);
    await expect.poll(() => rig.clientLeg.backlogBytes, { timeout: 20_000 }).toBeGreaterThan(MEGABYTE);

    const settled = await stops(() => rig.clientLeg.backlogBytes);
    rig.relay.cut(11, 'locked');
    const end = await rig.relay.ended;

    expect(settled).toBeLessThan(3 * MEGABYTE);
    expect(end).toMatchObject({ by: 'gateway', description: 'locked' });
  });

  it('ends both legs when a client takes nothing for too long (A5)', async () => {
    const rig = await realRig({ legs: { writeStallMs: 500 }, peers: hoarding });
    await flood(rig, 12);

    const end = await rig.relay.ended;

    expect(end.by).toBe('fault');
    expect(end.description).toMatch(/^the connection to the client failed: /);
    expect(await rig.targetTransport.ended).toMatchObject({ kind: 'disconnect' });
  });

  it('delivers the last words of a target that closes at once (A4)', async () => {
    const rig = await realRig();
    const channel = await rig.client.openSession();
    await channel.request('exec', { kind: 'exec', command: Buffer.from('say and leave') }, true);

    const said = await readAll(channel);

    expect(said.length).toBe(MEGABYTE);
    expect(await channel.exited).toEqual({ kind: 'status', status: 3 });
    expect(await rig.clientTransport.ended).toMatchObject({ description: 'target: leaving' });
    expect(await rig.relay.ended).toMatchObject({ by: 'target', description: 'leaving' });
  });
});

type RealRig = {
  readonly relay: Relay;
  readonly client: Endpoint;
  readonly clientTransport: Transport;
  readonly targetTransport: Transport;
  readonly clientLeg: Transport;
  readonly taps: { readonly bytes: { client: number; target: number } };
};

type RealLimits = { readonly legs?: Partial<TransportLimits>; readonly peers?: Partial<TransportLimits> };

async function realRig({ legs = {}, peers = {} }: RealLimits = {}): Promise<RealRig> {
  const engineer = await transportPair(peers, legs);
  const server = await transportPair(legs, peers);
  const bytes = { client: 0, target: 0 };
  const taps: RelayTaps = {
    channelData: (_, from, __, data) => {
      bytes[from] += data.length;
    },
  };
  const relay = createRelay({
    client: engineer.server,
    target: server.client,
    gates: {
      channelOpen: async () => ({ kind: 'pass' }),
      channelRequest: async () => ({ kind: 'pass' }),
      globalRequest: () => ({ kind: 'pass' }),
    },
    taps,
  });
  serveTarget(server.server);
  const client = createEndpoint(engineer.client);
  onTestFinished(async () => {
    relay.cut(11, 'the test is over');
    await relay.ended;
  });
  return {
    relay,
    client,
    clientTransport: engineer.client,
    targetTransport: server.server,
    clientLeg: engineer.server,
    taps: { bytes },
  };
}

/**
 * A server whose every command is `cat` with exit status 7, or says a megabyte and leaves. Direct channels echo; those to
 * port 9 answer their first byte with more than their window.
 */
function serveTarget(transport: Transport): void {
  createEndpoint(transport, {
    onOpen: ({ detail }) => ({
      accept: (channel) => {
        if (detail.kind === 'session') runCommands(transport, channel);
        else if (detail.kind === 'direct-tcpip' && detail.port === 9)
          channel.once('data', () => channel.write(Buffer.alloc(4 * MEGABYTE)));
        else channel.pipe(channel);
      },
    }),
  });
}

function runCommands(transport: Transport, channel: EndpointChannel): void {
  channel.onRequest = ({ detail }) => {
    // In the next turn: the request is answered first.
    if (detail.kind === 'exec')
      setImmediate(() =>
        detail.command.toString() === 'cat' ? echoAndExit(channel) : sayAndLeave(transport, channel),
      );
    return true;
  };
}

function echoAndExit(channel: EndpointChannel): void {
  channel.pipe(channel, { end: false });
  channel.once('end', () => channel.exit({ kind: 'status', status: 7 }));
}

function sayAndLeave(transport: Transport, channel: EndpointChannel): void {
  channel.write(patterned(MEGABYTE, 9));
  channel.exit({ kind: 'status', status: 3 });
  void channel.over.then(() => transport.disconnect(11, 'leaving'));
}

/** Makes the target fill the windows of as many channels towards a client that reads nothing from now on. */
async function flood(rig: RealRig, count: number): Promise<void> {
  const channels = await Promise.all(
    Array.from({ length: count }, () => rig.client.openDirectTcpip({ host: '192.0.2.1', port: 9 })),
  );
  rig.clientTransport.setReadPaused(true);
  for (const channel of channels) channel.write('x');
}

/** The value once it has been the same for 20 looks. */
async function stops(read: () => number): Promise<number> {
  let last = -1;
  let same = 0;
  await expect
    .poll(
      () => {
        const now = read();
        same = now === last ? same + 1 : 0;
        last = now;
        return same;
      },
      { timeout: 20_000, interval: 10 },
    )
    .toBeGreaterThan(20);
  return last;
}

async function transportPair(
  clientLimits: Partial<TransportLimits>,
  serverLimits: Partial<TransportLimits>,
): Promise<{ readonly client: Transport; readonly server: Transport }> {
  const listener = net.createServer({ pauseOnConnect: true });
  const accepted = new Promise<net.Socket>((resolve) => listener.once('connection', resolve));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('the listener has no port');
  const socket = await connectSocket({ host: '127.0.0.1', port: address.port, timeoutMs: 5000 });
  const server = createTransport(linkFromSocket(adoptConnection(await accepted)), {
    role: 'server',
    softwareVersion: 'test',
    algorithms: modernAlgorithms,
    hostKeys: [{ privateKey: generatePrivateKey('ed25519') }],
    limits: serverLimits,
  });
  const client = createTransport(linkFromSocket(socket), {
    role: 'client',
    softwareVersion: 'test',
    algorithms: modernAlgorithms,
    verifyHostKey: () => ({ accepted: true }),
    limits: clientLimits,
  });
  listener.close();
  await Promise.all([client.ready, server.ready]);
  return { client, server };
}
