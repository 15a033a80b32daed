import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startHealthServer } from '../../../proxy-task/task/health-server.ts';
import { header, tcp4 } from '../proxy-header.ts';

async function withHealth(
  problem: () => string | undefined,
  use: (url: string, port: number) => Promise<void>,
): Promise<void> {
  const server = await startHealthServer({ host: '127.0.0.1', port: 0 }, problem);
  try {
    await use(`http://127.0.0.1:${server.port}`, server.port);
  } finally {
    await server.close();
  }
}

/** What the server says to these pieces, each sent after the one before has gone out. */
async function answerTo(port: number, pieces: readonly Buffer[]): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const piece of pieces) {
    await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  await closed;
  return answer;
}

describe('startHealthServer', () => {
  it('says yes while all is well, and why not when it is not', async () => {
    let problem: string | undefined;
    await withHealth(
      () => problem,
      async (url) => {
        expect((await fetch(`${url}/healthz`)).status).toBe(200);

        problem = 'the audit trail cannot be written';
        const refused = await fetch(`${url}/healthz`);

        expect(refused.status).toBe(503);
        expect(await refused.text()).toBe('the audit trail cannot be written\n');
      },
    );
  });

  it('knows nothing else', async () => {
    await withHealth(
      () => undefined,
      async (url) => {
        expect((await fetch(`${url}/`)).status).toBe(404);
        expect((await fetch(`${url}/healthz`, { method: 'POST', body: 'x' })).status).toBe(404);
      },
    );
  });

  it('answers a balancer that sends a PROXY header first, whole or in pieces, with its request or before it', async () => {
    const request = Buffer.from('GET /healthz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n');
    const local = header(0x20, 0, Buffer.alloc(0));
    const proxied = tcp4([203, 0, 113, 9], 40_000);
    await withHealth(
      () => undefined,
      async (_url, port) => {
        for (const pieces of [
          [Buffer.concat([local, request])],
          [local, request],
          [proxied.subarray(0, 5), proxied.subarray(5), request],
          [request],
        ])
          expect(await answerTo(port, pieces)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      },
    );
  });

  it('goes on after bytes that are no HTTP', async () => {
    await withHealth(
      () => undefined,
      async (url, port) => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.end(Buffer.from([0, 255, 13, 10, 0, 1, 2]));
        await new Promise((resolve) => {
          socket.once('close', resolve);
          socket.resume();
        });

        expect((await fetch(`${url}/healthz`)).status).toBe(200);
      },
    );
  });
});
