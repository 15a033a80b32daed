import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { ProxyHeaderReader } from '../proxy-protocol.ts';

export type HealthServer = {
  readonly port: number;
  close(): Promise<void>;
};

/** What a connection has to begin with a request, and what a request may take. */
const patienceMs = 5_000;

/**
 * `GET /healthz` for the load balancer: 200 while new sessions are welcome, 503 with the reason when not. A PROXY header in front of a
 * request is skipped: balancers that send one to the gateway may send one with their health checks as well.
 */
export async function startHealthServer(
  at: { readonly host: string; readonly port: number },
  /** Why no new session should come here, or undefined. */
  problem: () => string | undefined,
): Promise<HealthServer> {
  const http = createServer((request, response) => {
    request.resume();
    const known = request.method === 'GET' && request.url === '/healthz';
    const reason = known ? problem() : 'there is only GET /healthz here';
    const status = known ? (reason === undefined ? 200 : 503) : 404;
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
    response.end(`${reason ?? 'ok'}\n`);
  });
  http.headersTimeout = patienceMs;
  http.requestTimeout = patienceMs;
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    handOver(socket, http);
  });
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
      for (const socket of sockets) socket.destroy();
      http.close();
      await closed;
    },
  };
}

/** Gives the connection to the HTTP server once what comes is no PROXY header any more. */
function handOver(socket: Socket, http: Server): void {
  const header = new ProxyHeaderReader();
  // A reset is the balancer's own affair.
  socket.on('error', () => undefined);
  socket.setTimeout(patienceMs, () => socket.destroy());
  const take = (chunk: Buffer): void => {
    const step = header.push(chunk);
    if (step.kind === 'more') return;
    if (step.kind === 'refused' && step.reason === 'proxy-header-malformed') {
      socket.destroy();
      return;
    }
    socket.off('data', take);
    socket.pause();
    socket.setTimeout(0);
    const rest = step.kind === 'header' ? chunk.subarray(step.taken) : chunk;
    if (rest.length > 0) socket.unshift(rest);
    http.emit('connection', socket);
  };
  socket.on('data', take);
}
