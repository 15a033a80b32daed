import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startHealthServer } from '../../../proxy-task/task/health-server.ts';

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
