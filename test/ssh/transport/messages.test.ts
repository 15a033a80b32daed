import { describe, expect, it } from 'vitest';
import type { Transport } from '../../../ssh/transport/index.ts';
import { MessageNumber, WireReader, WireWriter } from '../../../ssh/wire/index.ts';
import {
  bothReady,
  inbox,
  message,
  overMiddleman,
  overSockets,
  overStreams,
  type TransportPair,
  until,
} from './linked-transports.ts';

const ways: readonly (readonly [string, () => TransportPair | Promise<TransportPair>])[] = [
  ['sockets that read into the shared area', () => overSockets()],
  ['sockets that deliver data events', () => overSockets({}, false)],
  ['streams', () => overStreams()],
];

describe.each(ways)('messages over %s', (_name, make) => {
  it('arrive whole and in order, both ways at once', async () => {
    const pair = await bothReady(await make());
    const [atServer, atClient] = [inbox(pair.server), inbox(pair.client)];
    const lengths = Array.from({ length: 400 }, (_unused, index) => 1 + ((index * 7919) % 40_000));

    for (const [index, length] of lengths.entries()) {
      pair.client.send(message(94, length, index));
      pair.server.send(message(95, length, index));
    }
    await until(() => atServer.length === 400 && atClient.length === 400, 'all messages');

    for (const [index, length] of lengths.entries()) {
      expect(atServer[index]?.equals(message(94, length, index))).toBe(true);
      expect(atClient[index]?.equals(message(95, length, index))).toBe(true);
    }
    const total = lengths.reduce((sum, length) => sum + length, 0);
    expect(pair.server.bytesIn).toBeGreaterThanOrEqual(total);
    expect(pair.client.bytesOut).toBe(total);
  });

  it('of the largest size arrive', async () => {
    const pair = await bothReady(await make());
    const received = inbox(pair.server);

    for (let count = 0; count < 9; count += 1) pair.client.send(message(94, 256 * 1024 - 64, count));
    await until(() => received.length === 9, 'nine large messages');

    expect(received.every((payload, index) => payload.equals(message(94, 256 * 1024 - 64, index)))).toBe(
      true,
    );
  });

  it('are forwarded from one transport to another byte for byte', async () => {
    const [left, right] = await Promise.all([bothReady(await make()), bothReady(await make())]);
    const received = inbox(right.server);
    left.server.onMessage = (plain, payloadLength) => right.client.forward(plain, payloadLength);

    for (let count = 0; count < 50; count += 1) left.client.send(message(94, 1 + count * 601, count));
    await until(() => received.length === 50, 'forwarded messages');

    expect(received.map((payload) => payload.length)).toEqual(
      Array.from({ length: 50 }, (_unused, count) => 1 + count * 601),
    );
  });
});

describe('a held transport', () => {
  it('delivers nothing after the current message, and all in order after the last release', async () => {
    const pair = await bothReady(await overSockets());
    const seen: number[] = [];
    pair.server.onMessage = (plain) => {
      seen.push(plain.readUInt8(2));
      if (seen.length === 1) {
        pair.server.hold();
        pair.server.hold();
      }
    };
    for (let count = 1; count <= 20; count += 1) pair.client.send(message(94, 20, count));
    await until(() => pair.client.backlogBytes === 0 && seen.length > 0, 'the first message');
    pair.server.release();
    await turns(5);
    const seenWhileHeld = seen.length;

    pair.server.release();
    await until(() => seen.length === 20, 'the rest');

    expect(seenWhileHeld).toBe(1);
    expect(seen).toEqual(Array.from({ length: 20 }, (_unused, index) => index + 1));
  });

  it('can be held and released at every single message', async () => {
    const pair = await bothReady(await overSockets());
    const seen: number[] = [];
    pair.server.onMessage = (plain) => {
      seen.push(plain.readUInt8(2));
      pair.server.hold();
      setImmediate(() => pair.server.release());
    };

    for (let count = 0; count < 200; count += 1) pair.client.send(message(94, 3000, count));
    await until(() => seen.length === 200, 'all messages');

    expect(seen).toEqual(Array.from({ length: 200 }, (_unused, index) => index));
  });

  it('goes on when it is released within the message that held it', async () => {
    const pair = await bothReady(overStreams());
    let seen = 0;
    pair.server.onMessage = () => {
      seen += 1;
      pair.server.hold();
      pair.server.release();
    };

    for (let count = 0; count < 3; count += 1) pair.client.send(message(94, 10));
    await until(() => seen === 3, 'three messages');

    expect(seen).toBe(3);
  });

  it('stops the sender: what it reads meanwhile stays bounded', async () => {
    const pair = await bothReady(
      await overSockets({ client: { limits: { backlogLimitBytes: 512 * 1024 * 1024 } } }),
    );
    pair.server.hold();

    for (let count = 0; count < 1500; count += 1) pair.client.send(message(94, 32_000, count));
    await turns(50);

    // 48 MB were offered; what is not here is in the kernel's buffers at most.
    expect(pair.client.backlogBytes).toBeGreaterThan(24_000_000);
    const received = inbox(pair.server);
    pair.server.release();
    await until(() => received.length === 1500, 'all messages after the release');
  });

  it('holds of itself while nobody listens, and loses nothing', async () => {
    const pair = await bothReady(overStreams());
    for (let count = 0; count < 5; count += 1) pair.client.send(message(94, 10, count));
    await turns(10);

    const received = inbox(pair.server);
    await until(() => received.length === 5, 'the messages that waited');

    expect(received.map((payload) => payload[1])).toEqual([0, 1, 2, 3, 4]);
  });

  it('passes a changed handler the messages that follow', async () => {
    const pair = await bothReady(overStreams());
    const second: number[] = [];
    pair.server.onMessage = () => {
      pair.server.onMessage = (plain) => second.push(plain.readUInt8(2));
    };

    for (let count = 0; count < 4; count += 1) pair.client.send(message(94, 10, count));
    await until(() => second.length === 3, 'the second handler');

    expect(second).toEqual([1, 2, 3]);
  });

  it('delivers what came before the peer left, then ends', async () => {
    const pair = await bothReady(await overSockets());
    const seen: number[] = [];
    pair.server.onMessage = (plain) => {
      seen.push(plain.readUInt8(2));
      pair.server.hold();
      setImmediate(() => pair.server.release());
    };

    for (let count = 0; count < 10; count += 1) pair.client.send(message(94, 10, count));
    pair.client.disconnect(11, 'bye');
    const end = await pair.server.ended;

    expect(seen).toHaveLength(10);
    expect(end).toMatchObject({ kind: 'disconnect', code: 11, description: 'bye' });
  });
});

describe('messages the transport answers itself', () => {
  it('a ping with its data (X4)', async () => {
    const pair = await bothReady(overStreams());
    const delivered = inbox(pair.server);
    const answers = spyOnPongs(pair);

    pair.client.send(new WireWriter().byte(MessageNumber.ping).string('chaff').finish());
    await until(() => answers() > 0, 'the pong');

    expect(delivered).toEqual([]);
  });

  it('an unknown one with its own number, where the layer above rejects it (X3)', async () => {
    const pair = await bothReady(overStreams());
    pair.server.onMessage = () => pair.server.rejectCurrent();
    const seen: Buffer[] = [];
    const before = pair.client.bytesIn;

    pair.client.send(message(150, 10));
    pair.client.send(message(79, 10));
    await until(() => pair.client.bytesIn >= before + 10, 'two answers of five bytes');

    expect(seen).toEqual([]);
    expect(pair.client.bytesIn - before).toBe(10);
  });

  it('EXT_INFO, IGNORE, DEBUG, UNIMPLEMENTED and PONG are consumed', async () => {
    const pair = await bothReady(overStreams());
    const received = inbox(pair.server);

    pair.client.send(message(MessageNumber.ignore, 20));
    pair.client.send(
      new WireWriter().byte(MessageNumber.debug).boolean(true).string('x').string('').finish(),
    );
    pair.client.send(new WireWriter().byte(MessageNumber.unimplemented).uint32(3).finish());
    pair.client.send(new WireWriter().byte(MessageNumber.pong).string('x').finish());
    pair.client.send(new WireWriter().byte(MessageNumber.extInfo).uint32(1).string('x').string('y').finish());
    pair.client.send(message(80, 10));
    await until(() => received.length === 1, 'the message behind them');

    expect(received[0]?.[0]).toBe(80);
  });
});

describe('EXT_INFO', () => {
  it('tells the client what signatures the server takes', async () => {
    const serverSignatureAlgorithms = ['ssh-ed25519', 'rsa-sha2-512'];
    const pair = await bothReady(overStreams({ server: { serverSignatureAlgorithms } }));
    const received = inbox(pair.client);
    pair.server.send(message(80, 10));
    await until(() => received.length === 1, 'a message behind EXT_INFO');

    expect(pair.client.peerSignatureAlgorithms).toEqual(serverSignatureAlgorithms);
    expect(pair.server.peerSignatureAlgorithms).toBeUndefined();
  });

  it('may come again before authentication is done, and the later one counts', async () => {
    const pair = await bothReady(overStreams());
    pair.server.send(
      new WireWriter().byte(7).uint32(1).string('server-sig-algs').string('ssh-ed25519').finish(),
    );
    await until(() => pair.client.peerSignatureAlgorithms !== undefined, 'the second EXT_INFO');

    expect(pair.client.peerSignatureAlgorithms).toEqual(['ssh-ed25519']);
  });

  it.each([
    ['more extensions than are credible', new WireWriter().byte(7).uint32(0xffffffff).finish()],
    ['a cut extension', new WireWriter().byte(7).uint32(1).string('server-sig-algs').finish()],
    [
      'a list with control characters',
      new WireWriter().byte(7).uint32(1).string('server-sig-algs').string('a\u001b[2J').finish(),
    ],
  ])('with %s ends the connection', async (_what, payload) => {
    const pair = await bothReady(overStreams());

    pair.server.send(payload);

    expect(await pair.client.ended).toMatchObject({ kind: 'fault', code: 2 });
  });
});

describe('a stream cut to single bytes', () => {
  it('makes no difference', async () => {
    const pair = await bothReady(overMiddleman({ toServer: slowly, toClient: slowly }));
    const received = inbox(pair.server);

    pair.client.send(message(94, 5000, 3));
    pair.client.send(message(94, 1, 3));
    await until(() => received.length === 2, 'both messages');

    expect(received[0]).toEqual(message(94, 5000, 3));
  });
});

const slowly = (bytes: Buffer) => Array.from(bytes, (byte) => Buffer.from([byte]));

/** Counts PONG payloads that reached the client: they are consumed there, and only bytesIn tells. */
function spyOnPongs(pair: { readonly client: Transport }): () => number {
  const before = pair.client.bytesIn;
  const pong = new WireWriter().byte(MessageNumber.pong).string('chaff').finish();
  expect(new WireReader(pong, 1).string().toString()).toBe('chaff');
  return () => (pair.client.bytesIn - before) / pong.length;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
