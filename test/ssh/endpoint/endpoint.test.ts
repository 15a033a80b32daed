import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createEndpoint } from '../../../ssh/endpoint/index.ts';
import { memoryTransports } from '../../support/memory-transport.ts';
import { endpointPair, openPair, patterned, readAll } from './endpoint-pair.ts';

const megabyte = 1024 * 1024;

describe('a session channel', () => {
  it('carries a command, its output and its exit status', async () => {
    const pair = endpointPair();
    const { near, far } = await openPair(pair);
    const asked: string[] = [];
    far.onRequest = (request) => {
      asked.push(request.detail.kind);
      return request.detail.kind === 'exec';
    };

    const pty = await near.request(
      'pty-req',
      { kind: 'pty-req', term: 'xterm', columns: 80, rows: 24 },
      true,
    );
    const exec = await near.request('exec', { kind: 'exec', command: Buffer.from('uptime') }, true);
    far.write('up 3 days\n');
    far.stderr.write('a warning\n');
    far.exit({ kind: 'status', status: 3 });
    const [output, warning, exit] = await Promise.all([readAll(near), readAll(near.stderr), near.exited]);

    expect([pty, exec, asked]).toEqual([false, true, ['pty-req', 'exec']]);
    expect(output.toString()).toBe('up 3 days\n');
    expect(warning.toString()).toBe('a warning\n');
    expect(exit).toEqual({ kind: 'status', status: 3 });
    // EXTENDED_DATA precedes EOF, exit-status and CLOSE.
    expect(pair.transports.server.sent.slice(-5)).toEqual([94, 95, 96, 98, 97]);
    await expect.poll(() => [near.destroyed, pair.transports.client.sent.at(-1)]).toEqual([true, 97]);
  });

  it('tells the signal that ended a command', async () => {
    const { near, far } = await openPair(endpointPair());

    far.exit({ kind: 'signal', signal: 'KILL', coreDumped: false, message: 'killed' });

    expect(await near.exited).toEqual({
      kind: 'signal',
      signal: 'KILL',
      coreDumped: false,
      message: 'killed',
    });
  });

  it('stays open behind both EOFs until the command has exited', async () => {
    const { near, far } = await openPair(endpointPair());

    near.end('input');
    expect((await readAll(far)).toString()).toBe('input');
    far.end('output');
    expect((await readAll(near)).toString()).toBe('output');
    expect([near.destroyed, far.destroyed]).toEqual([false, false]);
    far.exit({ kind: 'status', status: 0 });

    expect(await near.exited).toEqual({ kind: 'status', status: 0 });
    await Promise.all([near.over, far.over]);
  });

  it('keeps what came before the close for a late reader', async () => {
    const { near, far } = await openPair(endpointPair());
    far.write('last words');
    far.stderr.write('and complaints');
    far.exit({ kind: 'status', status: 1 });
    await near.over;

    expect((await readAll(near)).toString()).toBe('last words');
    expect((await readAll(near.stderr)).toString()).toBe('and complaints');
  });

  it('interleaves stdout and stderr without losing or moving a byte', async () => {
    const { near, far } = await openPair(endpointPair());
    const out = patterned(12 * megabyte, 1);
    const err = patterned(12 * megabyte, 2);

    for (let at = 0; at < out.length; at += megabyte) {
      far.write(out.subarray(at, at + megabyte));
      far.stderr.write(err.subarray(at, at + megabyte));
    }
    far.exit({ kind: 'status', status: 0 });
    const [gotOut, gotErr] = await Promise.all([readAll(near), readAll(near.stderr)]);

    expect(gotOut.equals(out)).toBe(true);
    expect(gotErr.equals(err)).toBe(true);
  });
});

describe('a forwarded connection', () => {
  it('half-closes: one direction ends, the other goes on', async () => {
    const { near, far } = await openPair(endpointPair(), 'direct-tcpip');

    near.end('request');
    expect((await readAll(far)).toString()).toBe('request');
    far.write('late ');
    far.end('response');

    expect((await readAll(near)).toString()).toBe('late response');
    await Promise.all([near.over, far.over]);
  });

  it('tells the destination to the end that decides', async () => {
    const opens: unknown[] = [];
    const pair = endpointPair({
      onOpen: async (open) => {
        opens.push(open.detail);
        return { refuse: { reason: 1, message: 'not from here' } };
      },
    });

    const outcome = pair.client.openDirectTcpip({ host: 'db.example.com', port: 5432 });

    await expect(outcome).rejects.toMatchObject({ code: 'open-refused', reason: 1 });
    expect(opens).toEqual([
      { kind: 'direct-tcpip', host: 'db.example.com', port: 5432, originHost: '127.0.0.1', originPort: 0 },
    ]);
  });
});

describe('flow control', () => {
  it('stops a sender whose reader does not read, and goes on when it does', async () => {
    const pair = endpointPair();
    const { near, far } = await openPair(pair);
    const sent = patterned(8 * megabyte, 3);

    far.end(sent);
    for (let turn = 0; turn < 50; turn += 1) await setImmediate();
    const unread = pair.transports.client.bytesIn;
    const received = await readAll(near);

    expect(unread).toBeGreaterThan(2 * megabyte);
    expect(unread).toBeLessThan(2.01 * megabyte);
    expect(received.equals(sent)).toBe(true);
  });

  it('holds channels back while the transport is congested', async () => {
    const pair = endpointPair({}, { backlogHighBytes: 64 * 1024 });
    const { near, far } = await openPair(pair);
    let highest = 0;
    const watch = setImmediate();
    pair.transports.client.setReadPaused(true);
    far.end(patterned(megabyte, 4));
    await watch;
    highest = pair.transports.server.backlogBytes;
    pair.transports.client.setReadPaused(false);

    expect((await readAll(near)).length).toBe(megabyte);
    expect(highest).toBeLessThan(64 * 1024 + 3 * 32 * 1024);
  });

  it('runs many channels at once', async () => {
    const pair = endpointPair({
      onOpen: () => ({ accept: (channel) => channel.pipe(channel) }),
    });
    const channels = await Promise.all(Array.from({ length: 100 }, () => pair.client.openSession()));

    const echoes = await Promise.all(
      channels.map(async (channel, index) => {
        const data = patterned(50_000, index + 1);
        channel.end(data);
        return (await readAll(channel)).equals(data);
      }),
    );

    expect(echoes).toEqual(Array.from({ length: 100 }, () => true));
  });
});

describe('requests', () => {
  it('are decided and answered in order, however long each takes', async () => {
    const { near, far } = await openPair(endpointPair());
    const order: string[] = [];
    far.onRequest = async (request) => {
      if (request.detail.kind !== 'env') return false;
      if (request.detail.name === 'SLOW') for (let turn = 0; turn < 20; turn += 1) await setImmediate();
      order.push(request.detail.name);
      return request.detail.name === 'SLOW';
    };
    const ask = (name: string): Promise<boolean> =>
      near.request('env', { kind: 'env', name, value: Buffer.from('1') }, true);

    const answers = await Promise.all([ask('SLOW'), ask('FAST'), ask('SLOW')]);

    expect(answers).toEqual([true, false, true]);
    expect(order).toEqual(['SLOW', 'FAST', 'SLOW']);
  });

  it('fail without a handler', async () => {
    const pair = endpointPair();
    const { near } = await openPair(pair);

    expect(await near.request('shell', { kind: 'shell' }, true)).toBe(false);
    expect(await pair.client.request('keepalive@openssh.com', { kind: 'keepalive' }, true)).toMatchObject({
      success: false,
    });
  });

  it('of the connection carry data back, in order', async () => {
    const pair = endpointPair({
      onGlobalRequest: async ({ detail }) =>
        detail.kind === 'tcpip-forward' && detail.port === 0
          ? { success: true, data: Buffer.of(0, 0, 0x1f, 0x90) }
          : { success: false },
    });
    const forward = (port: number): ReturnType<typeof pair.client.request> =>
      pair.client.request('tcpip-forward', { kind: 'tcpip-forward', host: '', port }, true);

    const [bound, refused] = await Promise.all([forward(0), forward(22)]);

    expect(bound).toEqual({ success: true, data: Buffer.of(0, 0, 0x1f, 0x90) });
    expect(refused.success).toBe(false);
  });

  it('are answered before the close of a command that ends within its own request', async () => {
    const { near, far } = await openPair(endpointPair());
    far.onRequest = () => {
      far.exit({ kind: 'status', status: 4 });
      return true;
    };

    const started = await near.request('exec', { kind: 'exec', command: Buffer.from('true') }, true);

    expect(started).toBe(true);
    expect(await near.exited).toEqual({ kind: 'status', status: 4 });
  });

  it('that wait when the channel closes reject', async () => {
    const { near, far } = await openPair(endpointPair());
    far.onRequest = () => new Promise(() => undefined);
    const waiting = near.request('shell', { kind: 'shell' }, true);

    far.destroy();

    await expect(waiting).rejects.toMatchObject({ code: 'channel-closed' });
    await expect(near.request('shell', { kind: 'shell' }, true)).rejects.toMatchObject({
      code: 'channel-closed',
    });
  });
});

describe('an end', () => {
  it('of the connection ends everything that waits', async () => {
    const pair = endpointPair({ onOpen: () => new Promise(() => undefined) });
    const opening = pair.client.openSession();
    const request = pair.client.request('x@example.com', { kind: 'other', data: Buffer.alloc(0) }, true);
    opening.catch(() => undefined);
    request.catch(() => undefined);

    pair.transports.server.disconnect(11, 'good night');

    await expect(opening).rejects.toMatchObject({ code: 'connection-ended' });
    await request.catch(() => undefined);
    expect(await pair.client.ended).toMatchObject({ kind: 'disconnect', description: 'good night' });
    await expect(pair.client.openSession()).rejects.toMatchObject({ code: 'connection-ended' });
  });

  it('of the connection destroys open channels without an unhandled error', async () => {
    const pair = endpointPair();
    const { near, far } = await openPair(pair);
    far.write(patterned(4 * megabyte, 5));

    pair.transports.client.drop();
    await Promise.all([near.over, far.over]);

    expect([near.destroyed, far.destroyed]).toEqual([true, true]);
    expect(await near.exited).toBeUndefined();
  });

  it('of a channel while its writer waits for window tells the writer', async () => {
    const { near, far } = await openPair(endpointPair());
    const written = new Promise<unknown>((resolve) => {
      far.write(patterned(4 * megabyte, 6), resolve);
    });

    near.destroy();

    expect(await written).toMatchObject({ code: 'channel-closed' });
    await far.over;
    expect(far.destroyed).toBe(true);
  });

  it('of a channel leaves the others alone, and its number is not used again', async () => {
    const pair = endpointPair({ onOpen: () => ({ accept: (channel) => channel.pipe(channel) }) });
    const first = await pair.client.openSession();
    first.destroy();
    await first.over;
    const second = await pair.client.openSession();

    second.end('still here');

    expect((await readAll(second)).toString()).toBe('still here');
  });

  it('comes for a handler that throws, and says what it threw', async () => {
    const fault = new Error('no such table');
    const pair = endpointPair({ onOpen: () => Promise.reject(fault) });

    await expect(pair.client.openSession()).rejects.toMatchObject({ code: 'connection-ended' });

    expect(await pair.server.ended).toMatchObject({ kind: 'fault', error: fault });
    expect((await pair.client.ended).description).not.toContain('table');
  });
});

describe('messages behind the login', () => {
  it('of authentication are ignored, unknown ones are answered', async () => {
    const { client, server } = memoryTransports();
    createEndpoint(server);
    client.onMessage = () => undefined;

    for (const number of [50, 61, 79, 100 + 1, 191, 5]) client.send(Buffer.of(number, 0, 0, 0, 0));

    await expect.poll(() => server.rejected).toEqual([101, 191, 5]);
  });
});
