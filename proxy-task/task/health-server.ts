import { createServer, type Socket } from 'node:net';
import { ProxyHeaderReader } from '../proxy-protocol.ts';

export type HealthServer = {
  readonly port: number;
  close(): Promise<void>;
};

/** What a request may take, and how much of it is read. */
const patienceMs = 5_000;
const maxRequestBytes = 8 * 1024;
const reasonPhrases = { 200: 'OK', 404: 'Not Found', 503: 'Service Unavailable' } as const;

/**
 * `GET /healthz` for the load balancer: 200 while new sessions are welcome, 503 with the reason when not; one request a connection. A PROXY
 * header in front of it is skipped: balancers that send one to the gateway send one with their health checks as well.
 */
export async function startHealthServer(
  at: { readonly host: string; readonly port: number },
  /** Why no new session should come here, or undefined. */
  problem: () => string | undefined,
): Promise<HealthServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket, problem);
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
  if (address === null || typeof address === 'string') throw new Error('the system gave no TCP address');
  return {
    port: address.port,
    async close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Node's HTTP server reads from the socket's handle, where what stood before a request cannot be taken away. */
function serve(socket: Socket, problem: () => string | undefined): void {
  const header = new ProxyHeaderReader();
  let awaitsHeader = true;
  let request = Buffer.alloc(0);
  let answered = false;
  // A reset is the balancer's own affair.
  socket.on('error', () => undefined);
  socket.setTimeout(patienceMs, () => socket.destroy());
  socket.on('end', () => {
    if (!answered) socket.destroy();
  });
  socket.on('data', (chunk: Buffer) => {
    if (answered) return;
    let rest = chunk;
    if (awaitsHeader) {
      const step = header.push(chunk);
      if (step.kind === 'more') return;
      if (step.kind === 'refused' && step.reason === 'proxy-header-malformed') {
        socket.destroy();
        return;
      }
      awaitsHeader = false;
      if (step.kind === 'header') rest = chunk.subarray(step.taken);
    }
    request = Buffer.concat([request, rest]);
    const isWhole = request.includes('\r\n\r\n');
    if (!isWhole && request.length <= maxRequestBytes) return;
    answered = true;
    if (isWhole) socket.end(answerTo(request.toString('latin1'), problem));
    else socket.destroy();
  });
}

function answerTo(request: string, problem: () => string | undefined): string {
  const isKnown = /^GET \/healthz HTTP\/1\.[01]\r\n/.test(request);
  const reason = isKnown ? problem() : 'there is only GET /healthz here';
  const status = !isKnown ? 404 : reason === undefined ? 200 : 503;
  const body = `${reason ?? 'ok'}\n`;
  return [
    `HTTP/1.1 ${status} ${reasonPhrases[status]}`,
    'content-type: text/plain; charset=utf-8',
    'cache-control: no-store',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n');
}
