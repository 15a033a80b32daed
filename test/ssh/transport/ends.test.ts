import { describe, expect, it, onTestFinished } from 'vitest';
import { createTransport, linkFromSocket } from '../../../ssh/transport/index.ts';
import {
  alone,
  bothReady,
  inbox,
  message,
  overSockets,
  overStreams,
  serverOptions,
  socketPair,
  until,
} from './linked-transports.ts';

describe('disconnect', () => {
  it('says why, behind everything that was sent', async () => {
    const pair = await bothReady(await overSockets());
    const received = inbox(pair.client);

    for (let count = 0; count < 100; count += 1) pair.server.send(message(94, 30_000, count));
    pair.server.disconnect(11, 'the session is over');
    const [clientEnd, serverEnd] = await Promise.all([pair.client.ended, pair.server.ended]);

    expect(received).toHaveLength(100);
    expect(clientEnd).toMatchObject({ kind: 'disconnect', code: 11, description: 'the session is over' });
    expect(serverEnd).toMatchObject({ kind: 'local', code: 11, description: 'the session is over' });
  });

  it('waits for a slow reader as long as that reads at all (A4)', async () => {
    const pair = await bothReady(await overSockets({ server: { limits: { backlogLimitBytes: 1 << 30 } } }));
    let bytes = 0;
    pair.client.onMessage = (_plain, payloadLength) => {
      bytes += payloadLength;
      if (bytes % 1_500_000 === 0) {
        pair.client.setReadPaused(true);
        setTimeout(() => pair.client.setReadPaused(false), 5);
      }
    };

    for (let count = 0; count < 600; count += 1) pair.server.send(message(94, 30_000, count));
    // Far more than one of its rests, and than a busy machine takes to come back to it.
    pair.server.disconnect(11, 'bye', 2_000);

    expect(await pair.client.ended).toMatchObject({ kind: 'disconnect', description: 'bye' });
    expect(bytes).toBe(600 * 30_000);
  });

  it('gives up on a reader that reads nothing', async () => {
    const pair = await bothReady(await overSockets({ server: { limits: { backlogLimitBytes: 1 << 30 } } }));
    pair.client.setReadPaused(true);

    for (let count = 0; count < 1500; count += 1) pair.server.send(message(94, 30_000));
    pair.server.disconnect(11, 'bye', 30);

    expect(await pair.server.ended).toMatchObject({ kind: 'local' });
  });

  it('in the middle of a key exchange sends what is queued first', async () => {
    const pair = await bothReady(await overSockets());
    const received = inbox(pair.client);

    pair.server.rekey();
    pair.server.send(message(94, 10, 1));
    pair.server.disconnect(11, 'bye');

    expect(await pair.client.ended).toMatchObject({ kind: 'disconnect', description: 'bye' });
    expect(received).toHaveLength(1);
  });

  it('in the middle of a key exchange does not wait for ever', async () => {
    const pair = await bothReady(await overSockets());
    pair.client.hold();

    pair.server.rekey();
    pair.server.send(message(94, 10, 1));
    pair.server.disconnect(11, 'bye', 20);

    expect(await pair.server.ended).toMatchObject({ kind: 'local' });
  });

  it('before the peer said anything just closes', async () => {
    const { transport, peer } = alone(serverOptions);
    const said: Buffer[] = [];
    peer.on('data', (chunk: Buffer) => said.push(chunk));

    transport.disconnect(11, 'shutting down');
    peer.on('end', () => peer.end());

    expect(await transport.ended).toMatchObject({ kind: 'local' });
    await expect(transport.ready).rejects.toMatchObject({ code: 'ended-locally' });
    expect(Buffer.concat(said).toString()).toBe('SSH-2.0-server_1.0\r\n');
  });

  it('delivers nothing any more, and sends nothing', async () => {
    const pair = await bothReady(await overSockets());
    const received = inbox(pair.server);
    const atClient = inbox(pair.client);

    pair.client.send(message(94, 10));
    pair.server.disconnect(11, 'bye');
    pair.server.send(message(94, 10));
    await pair.server.ended;
    pair.server.send(message(94, 10));
    pair.server.rekey();
    pair.server.disconnect(2, 'again');
    await pair.client.ended;

    expect([received, atClient]).toEqual([[], []]);
  });
});

describe('cut', () => {
  it('does not wait for a backlog (A6)', async () => {
    const pair = await bothReady(await overSockets({ server: { limits: { backlogLimitBytes: 1 << 30 } } }));
    pair.client.setReadPaused(true);
    for (let count = 0; count < 1500; count += 1) pair.server.send(message(94, 30_000));

    pair.server.cut(11, 'your access was revoked', 20);

    expect(await pair.server.ended).toMatchObject({ kind: 'local', description: 'your access was revoked' });
  });

  it('tells a peer that listens', async () => {
    const pair = await bothReady(await overSockets());

    pair.server.cut(11, 'your access was revoked');

    expect(await pair.client.ended).toMatchObject({
      kind: 'disconnect',
      description: 'your access was revoked',
    });
  });

  it('overtakes a disconnect that waits', async () => {
    const pair = await bothReady(await overSockets({ server: { limits: { backlogLimitBytes: 1 << 30 } } }));
    pair.client.setReadPaused(true);
    for (let count = 0; count < 1500; count += 1) pair.server.send(message(94, 30_000));

    pair.server.disconnect(11, 'bye', 60_000);
    pair.server.cut(11, 'revoked', 20);

    expect(await pair.server.ended).toMatchObject({ kind: 'local', description: 'bye' });
  });

  it('works in the middle of a key exchange, on a held transport, and twice', async () => {
    const pair = await bothReady(await overSockets());
    pair.server.hold();
    pair.server.rekey();
    pair.server.send(message(94, 10));

    pair.server.cut(11, 'revoked', 20);
    pair.server.cut(11, 'revoked', 20);

    expect(await pair.server.ended).toMatchObject({ kind: 'local' });
    expect(await pair.client.ended).toMatchObject({ kind: 'disconnect', description: 'revoked' });
  });
});

describe('a peer that leaves without a word', () => {
  it('in order ends the transport as closed', async () => {
    const [clientSocket, serverSocket] = await socketPair();
    const transport = createTransport(linkFromSocket(serverSocket), serverOptions);

    clientSocket.end();

    expect(await transport.ended).toMatchObject({ kind: 'closed', code: 10 });
    await expect(transport.ready).rejects.toMatchObject({ code: 'connection-closed' });
  });

  it('by a reset ends it as closed, with the error', async () => {
    const [clientSocket, serverSocket] = await socketPair();
    const transport = createTransport(linkFromSocket(serverSocket), serverOptions);
    clientSocket.resume();

    clientSocket.resetAndDestroy();
    const end = await transport.ended;

    expect(end.kind).toBe('closed');
    expect(end.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('before the transport was made is noticed as well', async () => {
    const [clientSocket, serverSocket] = await socketPair();
    serverSocket.destroy();
    clientSocket.destroy();
    await new Promise((resolve) => setImmediate(resolve));

    const transport = createTransport(linkFromSocket(serverSocket), serverOptions);

    expect((await transport.ended).kind).toBe('closed');
  });

  it('leaves what it sent to be delivered after the hold', async () => {
    const pair = await bothReady(overStreams());
    const received = inbox(pair.server);
    pair.server.hold();

    for (let count = 0; count < 5; count += 1) pair.client.send(message(94, 10, count));
    pair.client.disconnect(11, 'bye');
    await pair.client.ended;
    pair.server.release();

    expect(await pair.server.ended).toMatchObject({ kind: 'disconnect' });
    expect(received).toHaveLength(5);
  });
});

describe('limits on time and output', () => {
  it('a key exchange that does not get done ends the transport', async () => {
    const { transport, peer } = alone({ ...serverOptions, limits: { keyExchangeTimeoutMs: 20 } });
    peer.resume();

    peer.write('SSH-2.0-slow\r\n');

    expect(await transport.ended).toMatchObject({ kind: 'fault', error: { code: 'key-exchange-timed-out' } });
    await expect(transport.ready).rejects.toMatchObject({ code: 'key-exchange-timed-out' });
  });

  it('a rekey that the peer does not answer ends the transport', async () => {
    const pair = await bothReady(overStreams({ server: { limits: { keyExchangeTimeoutMs: 20 } } }));
    pair.client.hold();

    pair.server.rekey();

    expect(await pair.server.ended).toMatchObject({
      kind: 'fault',
      error: { code: 'key-exchange-timed-out' },
    });
  });

  it('output that nobody takes ends it after a while, however dead the peer (A5)', async () => {
    const limits = { writeStallMs: 40, backlogLimitBytes: 1 << 30 };
    const pair = await bothReady(await overSockets({ server: { limits } }));
    pair.client.setReadPaused(true);

    for (let count = 0; count < 1500; count += 1) pair.server.send(message(94, 30_000));

    expect(await pair.server.ended).toMatchObject({ kind: 'fault', error: { code: 'write-stalled' } });
  });

  it('output over the hard limit ends it at once', async () => {
    const pair = await bothReady(await overSockets({ server: { limits: { backlogLimitBytes: 8_000_000 } } }));
    pair.client.setReadPaused(true);

    for (let count = 0; count < 1500; count += 1) pair.server.send(message(94, 30_000));

    expect(await pair.server.ended).toMatchObject({ kind: 'fault', error: { code: 'backlog-exceeded' } });
  });

  it('the layer above hears of a backlog once at its high mark and once at its low mark', async () => {
    const limits = { backlogHighBytes: 1_000_000, backlogLowBytes: 100_000, backlogLimitBytes: 1 << 30 };
    const pair = await bothReady(await overSockets({ server: { limits } }));
    const signals: (readonly [boolean, number])[] = [];
    pair.server.onBacklog = (congested) => signals.push([congested, pair.server.backlogBytes]);
    pair.client.setReadPaused(true);
    inbox(pair.client);

    for (let count = 0; count < 1000; count += 1) pair.server.send(message(94, 30_000));
    await until(() => signals.length === 1, 'the high mark');
    pair.client.setReadPaused(false);
    await until(() => signals.length === 2, 'the low mark');

    expect(signals.map(([congested]) => congested)).toEqual([true, false]);
    expect(signals[0]?.[1]).toBeGreaterThan(1_000_000);
    expect(signals[1]?.[1]).toBeLessThanOrEqual(100_000);
  });

  it('output queued in a key exchange counts as backlog', async () => {
    const limits = { backlogHighBytes: 100_000 };
    const pair = await bothReady(overStreams({ server: { limits } }));
    const signals: boolean[] = [];
    pair.server.onBacklog = (congested) => signals.push(congested);
    inbox(pair.client);
    pair.client.hold();

    pair.server.rekey();
    for (let count = 0; count < 10; count += 1) pair.server.send(message(94, 30_000));
    await until(() => signals.length === 1, 'the high mark');
    pair.client.release();
    await until(() => signals.length === 2, 'the low mark');

    expect(signals).toEqual([true, false]);
  });

  it('a message that fits no packet ends the transport it was for, and does not throw', async () => {
    const pair = await bothReady(overStreams());

    pair.server.send(message(94, 256 * 1024));

    expect(await pair.server.ended).toMatchObject({ kind: 'fault', error: { code: 'packet-length' } });
  });
});

describe('fairness', () => {
  it('lets others have their turn after a share of bytes', async () => {
    const pair = await bothReady(await overSockets({ client: { limits: { backlogLimitBytes: 1 << 30 } } }));
    let inTurn = 0;
    let most = 0;
    let total = 0;
    pair.server.onMessage = (_plain, payloadLength) => {
      inTurn += payloadLength;
      total += payloadLength;
      most = Math.max(most, inTurn);
    };
    let running = true;
    const tick = (): void => {
      inTurn = 0;
      if (running) setImmediate(tick);
    };
    tick();
    onTestFinished(() => {
      running = false;
    });

    for (let count = 0; count < 1000; count += 1) pair.client.send(message(94, 30_000));
    await until(() => total === 30_000_000, 'all bytes');

    // One read of 256 KiB may begin just under the share.
    expect(most).toBeLessThanOrEqual(3 * 256 * 1024);
  });
});
