import { describe, expect, it } from 'vitest';
import type { Transport } from '../../../ssh/transport/index.ts';
import {
  bothReady,
  inbox,
  message,
  overSockets,
  overStreams,
  quickAlgorithms,
  until,
} from './linked-transports.ts';

const limits = { rekeyBytes: 64 * 1024 };
const suites = [
  { ...quickAlgorithms, cipher: ['aes128-gcm@openssh.com'] },
  { ...quickAlgorithms, cipher: ['aes128-ctr'], mac: ['hmac-sha2-256-etm@openssh.com'] },
  { ...quickAlgorithms, cipher: ['aes256-ctr'], mac: ['hmac-sha2-512'] },
];

/** Sends numbered messages as fast as the backlog allows. */
function pump(transport: Transport, count: number, length: number): void {
  let sent = 0;
  let congested = false;
  const step = (): void => {
    const end = Math.min(count, sent + 8);
    for (; sent < end; sent += 1) transport.send(message(94, length, sent));
    if (!congested && sent < count) setImmediate(step);
  };
  transport.onBacklog = (now) => {
    congested = now;
    if (!now) setImmediate(step);
  };
  step();
}

/** Counts messages, and that each carries the number that is due. */
function counter(transport: Transport): { count: number; wrong: number } {
  const seen = { count: 0, wrong: 0 };
  transport.onMessage = (plain) => {
    if (plain.readUInt8(2) !== (seen.count & 0xff)) seen.wrong += 1;
    seen.count += 1;
  };
  return seen;
}

describe('rekeying', () => {
  it.each(suites)(
    'every 64 KiB on both sides, full duplex, loses nothing under $cipher',
    async (algorithms) => {
      const pair = await bothReady(
        await overSockets({ client: { limits, algorithms }, server: { limits, algorithms } }),
      );
      const first = pair.client.sessionId;
      const [atClient, atServer] = [counter(pair.client), counter(pair.server)];

      pump(pair.client, 400, 20_000);
      pump(pair.server, 400, 20_000);
      await until(() => atClient.count === 400 && atServer.count === 400, 'all messages');

      expect([atClient.wrong, atServer.wrong]).toEqual([0, 0]);
      expect(pair.client.sessionId).toEqual(first);
      expect(pair.server.sessionId).toEqual(first);
    },
  );

  it('on both legs of a relay, each pausing the other for its backlog, never hangs (R1)', async () => {
    const small = { ...limits, backlogHighBytes: 64 * 1024, backlogLowBytes: 16 * 1024 };
    const [left, right] = await Promise.all([
      overSockets({ client: { limits }, server: { limits: small } }).then(bothReady),
      overSockets({ client: { limits: small }, server: { limits } }).then(bothReady),
    ]);
    relay(left.server, right.client);
    const [atClient, atServer] = [counter(left.client), counter(right.server)];

    pump(left.client, 400, 20_000);
    pump(right.server, 400, 20_000);
    await until(() => atClient.count === 400 && atServer.count === 400, 'all messages across both legs');

    expect([atClient.wrong, atServer.wrong]).toEqual([0, 0]);
  });

  it('goes well when both ends start at the same moment (R3)', async () => {
    const pair = await bothReady(overStreams());
    const before = pair.client.negotiated;
    const received = inbox(pair.server);

    pair.client.rekey();
    pair.server.rekey();
    pair.client.send(message(94, 10, 1));
    await until(() => received.length === 1, 'the message behind the rekey');

    expect(pair.client.negotiated).not.toBe(before);
  });

  it('is not started twice', async () => {
    const pair = await bothReady(overStreams());
    const received = inbox(pair.server);

    for (let count = 0; count < 5; count += 1) {
      pair.client.rekey();
      pair.client.send(message(94, 10, count));
      pair.client.rekey();
    }
    await until(() => received.length === 5, 'all messages');

    expect(received.map((payload) => payload[1])).toEqual([0, 1, 2, 3, 4]);
  });

  it('happens by time as well', async () => {
    const pair = await bothReady(overStreams({ server: { limits: { rekeyIntervalMs: 10 } } }));
    const before = pair.server.negotiated;

    await until(() => pair.server.negotiated !== before, 'a rekey by time');

    expect(pair.client.sessionId).toEqual(pair.server.sessionId);
  });

  it('is counted in what comes in, too', async () => {
    const pair = await bothReady(overStreams({ server: { limits } }));
    const before = pair.server.negotiated;
    inbox(pair.server);

    for (let count = 0; count < 3; count += 1) pair.client.send(message(94, 30_000));

    await until(() => pair.server.negotiated !== before, 'a rekey by bytes received');
    expect(pair.server.bytesOut).toBe(0);
  });

  it('lets messages through that the peer sent before it knew (R2)', async () => {
    const pair = await bothReady(await overSockets());
    const received = inbox(pair.server);

    pair.client.send(message(94, 10, 1));
    pair.server.rekey();
    pair.client.send(message(94, 10, 2));
    await until(() => received.length === 2, 'both messages');

    expect(received.map((payload) => payload[1])).toEqual([1, 2]);
  });

  it('sends what waited behind it before the next one starts (R4)', async () => {
    const pair = await bothReady(await overSockets({ client: { limits } }));
    const received = inbox(pair.server);
    pair.client.rekey();

    for (let count = 0; count < 20; count += 1) pair.client.send(message(94, 30_000, count));
    await until(() => received.length === 20, 'all that waited');

    expect(received.map((payload) => payload[1])).toEqual(
      Array.from({ length: 20 }, (_unused, index) => index),
    );
  });

  it('reads on although a pause is asked for, and pauses again afterwards (R1)', async () => {
    const pair = await bothReady(await overSockets());
    const received = inbox(pair.server);
    pair.server.setReadPaused(true);
    const before = pair.server.negotiated;

    pair.server.rekey();
    await until(() => pair.server.negotiated !== before, 'the rekey of a paused leg');
    for (let count = 0; count < 200; count += 1) pair.client.send(message(94, 30_000, count));
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const whilePaused = received.length;
    pair.server.setReadPaused(false);
    await until(() => received.length === 200, 'the rest');

    expect(whilePaused).toBeLessThan(200);
  });

  it('is possible with a transport that is held, and goes on at its release', async () => {
    const pair = await bothReady(await overSockets({ server: { limits: { keyExchangeTimeoutMs: 30 } } }));
    const received = inbox(pair.server);
    const before = pair.server.negotiated;
    pair.server.hold();
    pair.server.rekey();
    pair.client.send(message(94, 10, 5));
    // Longer than an exchange may take: time held by the layer above does not count.
    await new Promise((resolve) => setTimeout(resolve, 100));

    pair.server.release();
    await until(() => received.length === 1 && pair.server.negotiated !== before, 'message and rekey');

    expect(received[0]).toEqual(message(94, 10, 5));
  });
});

function relay(client: Transport, target: Transport): void {
  client.onMessage = (plain, payloadLength) => target.forward(plain, payloadLength);
  target.onMessage = (plain, payloadLength) => client.forward(plain, payloadLength);
  client.onBacklog = (congested) => target.setReadPaused(congested);
  target.onBacklog = (congested) => client.setReadPaused(congested);
}
