import { spawn } from 'node:child_process';
import net from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  adoptConnection,
  connectSocket,
  createTransport,
  linkFromSocket,
} from '../../../ssh/transport/index.ts';
import { clientOptions, inbox, message, portOf, serverOptions, until } from './linked-transports.ts';

async function listening(onConnection: (socket: net.Socket) => void): Promise<net.Server> {
  const server = net.createServer({ pauseOnConnect: true }, onConnection);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  return server;
}

describe('an accepted connection (N2)', () => {
  it('reads through the shared area, keeps its addresses, and the server no longer waits for it', async () => {
    const adopted: net.Socket[] = [];
    const server = await listening((socket) => adopted.push(adoptConnection(socket)));
    const client = await connectSocket({ host: '127.0.0.1', port: portOf(server), timeoutMs: 5000 });
    await until(() => adopted.length === 1, 'the connection');
    const [socket] = adopted;
    if (socket === undefined) throw new Error('no connection');

    await new Promise((resolve) => server.close(resolve));
    const pair = {
      client: createTransport(linkFromSocket(client), clientOptions),
      server: createTransport(linkFromSocket(socket), serverOptions),
    };
    const received = inbox(pair.server);
    pair.client.send(message(94, 50_000, 1));
    await until(() => received.length === 1, 'a message over the adopted socket');

    expect(socket.remoteAddress).toBe('127.0.0.1');
    expect(socket.remotePort).toBe(client.localPort);
    expect(socket.listenerCount('data')).toBe(0);
    pair.client.disconnect(11, 'bye');
    expect((await pair.server.ended).kind).toBe('disconnect');
  });

  it('whose handle cannot be had delivers by data events', async () => {
    const sockets: net.Socket[] = [];
    const server = await listening((socket) => {
      Object.defineProperty(socket, '_handle', { value: undefined, writable: true });
      sockets.push(adoptConnection(socket));
    });
    const probe = net.connect(portOf(server), '127.0.0.1');
    onTestFinished(() => {
      probe.destroy();
    });
    await until(() => sockets.length === 1, 'the connection');

    expect(sockets[0]?.destroyed).toBe(false);
    expect(sockets[0]?.listenerCount('error')).toBe(1);
  });

  it('that was reset meanwhile does no harm', async () => {
    const sockets: net.Socket[] = [];
    const server = await listening((socket) => sockets.push(socket));
    const client = await connectSocket({ host: '127.0.0.1', port: portOf(server), timeoutMs: 5000 });
    await until(() => sockets.length === 1, 'the connection');
    sockets[0]?.destroy();
    client.resetAndDestroy();

    const [socket] = sockets;
    if (socket === undefined) throw new Error('no connection');
    const transport = createTransport(linkFromSocket(adoptConnection(socket)), serverOptions);

    expect((await transport.ended).kind).toBe('closed');
  });
});

describe('connecting', () => {
  it('keeps what the server says before anybody listens', async () => {
    const server = await listening((socket) => socket.write('SSH-2.0-early_bird\r\n'));
    const socket = await connectSocket({ host: '127.0.0.1', port: portOf(server), timeoutMs: 5000 });
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));

    const transport = createTransport(linkFromSocket(socket), clientOptions);
    await until(() => transport.remoteIdentification !== '', 'the early line');

    expect(transport.remoteIdentification).toBe('SSH-2.0-early_bird');
    transport.cut(11, 'done');
  });

  it('tells why it failed', async () => {
    const server = await listening(() => undefined);
    const port = portOf(server);
    await new Promise((resolve) => server.close(resolve));

    await expect(connectSocket({ host: '127.0.0.1', port, timeoutMs: 5000 })).rejects.toMatchObject({
      code: 'connect-failed',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('gives up when told to, before and meanwhile', async () => {
    const stuck = await stuckServer();
    const controller = new AbortController();

    const attempt = connectSocket({
      host: '127.0.0.1',
      port: stuck,
      timeoutMs: 60_000,
      signal: controller.signal,
    });
    controller.abort(new Error('shutting down'));

    await expect(attempt).rejects.toMatchObject({ code: 'aborted' });
    await expect(
      connectSocket({ host: '127.0.0.1', port: stuck, timeoutMs: 60_000, signal: controller.signal }),
    ).rejects.toMatchObject({ code: 'aborted' });
  });

  it('gives up after its time', async () => {
    const port = await stuckServer();

    await expect(connectSocket({ host: '127.0.0.1', port, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'connect-timed-out',
    });
  });
});

/** A port whose queue of connections is full and whose process does not accept any: connecting hangs. */
async function stuckServer(): Promise<number> {
  const script = `
    const server = require('node:net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));
  `;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const port = await new Promise<number>((resolve) =>
    child.stdout.once('data', (text) => resolve(Number(text))),
  );
  child.kill('SIGSTOP');
  const fillers = Array.from({ length: 8 }, () => net.connect(port, '127.0.0.1'));
  onTestFinished(() => {
    for (const filler of fillers) filler.destroy();
  });
  let connected = 0;
  for (const filler of fillers) {
    filler.on('error', () => undefined);
    filler.on('connect', () => {
      connected += 1;
    });
  }
  await until(() => connected >= 2, 'the queue is full');
  return port;
}
