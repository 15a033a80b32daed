import { createServer } from 'node:http';

export type HealthServer = {
  readonly port: number;
  close(): Promise<void>;
};

/** `GET /healthz` for the load balancer: 200 while new sessions are welcome, 503 with the reason when not. */
export async function startHealthServer(
  at: { readonly host: string; readonly port: number },
  /** Why no new session should come here, or undefined. */
  problem: () => string | undefined,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    request.resume();
    const known = request.method === 'GET' && request.url === '/healthz';
    const reason = known ? problem() : 'there is only GET /healthz here';
    const status = known ? (reason === undefined ? 200 : 503) : 404;
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
    response.end(`${reason ?? 'ok'}\n`);
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 5_000;
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : at.port;
  return {
    port,
    async close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeAllConnections();
      await closed;
    },
  };
}
