import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** One call as a service sees it. */
export type FakeRequest = {
  /** The signing name from the Authorization header, e.g. `s3`, `dynamodb`, `cloudtrail-data`. */
  readonly service: string;
  readonly region: string;
  /** The last part of X-Amz-Target, where the protocol has one. */
  readonly operation: string | undefined;
  readonly method: string;
  /** Not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
};

export type FakeResponse = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
};

/** Answers for one AWS service; undefined leaves the call to the upstream (moto), where there is one. */
export type FakeService = {
  readonly service: string;
  handle(request: FakeRequest): Promise<FakeResponse | undefined> | FakeResponse | undefined;
};

/** What happens to a call instead of its answer, or before it. */
export type Fault =
  | { readonly kind: 'reset' }
  | { readonly kind: 'delay'; readonly ms: number }
  | ({ readonly kind: 'answer' } & FakeResponse)
  /** The call takes effect and its answer is lost. */
  | { readonly kind: 'lose-answer' };

export type FakeAws = {
  readonly endpoint: string;
  /** Looks at every call first; undefined lets it pass. Returns the way to take it out again. */
  inject(fault: (request: FakeRequest) => Fault | undefined): () => void;
  /** `service:operation` (or `service:METHOD`) of every call since the start, in order. */
  readonly calls: readonly string[];
  close(): Promise<void>;
};

/** AWS over HTTP on 127.0.0.1. */
export async function startFakeAws(options: {
  readonly services: readonly FakeService[];
  /** Base URL of a moto server for whatever the services leave. */
  readonly upstream?: string | undefined;
}): Promise<FakeAws> {
  const faults = new Set<(request: FakeRequest) => Fault | undefined>();
  const calls: string[] = [];
  const server = createServer((incoming, outgoing) => {
    void serve(incoming, outgoing).catch((error: unknown) => {
      if (!outgoing.headersSent)
        outgoing.writeHead(500, { 'content-type': 'application/json', 'x-amzn-errortype': 'FakeFault' });
      outgoing.end(JSON.stringify({ message: String(error) }));
    });
  });

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const request = await readRequest(incoming);
    calls.push(`${request.service}:${request.operation ?? request.method}`);
    let losing = false;
    for (const fault of faults) {
      const found = fault(request);
      if (found === undefined) continue;
      if (found.kind === 'reset') {
        incoming.socket.destroy();
        return;
      }
      if (found.kind === 'delay') await delay(found.ms);
      if (found.kind === 'answer') {
        send(outgoing, found);
        return;
      }
      if (found.kind === 'lose-answer') losing = true;
    }
    const response = (await answer(request)) ?? (await forward(options.upstream, request));
    if (losing) incoming.socket.destroy();
    else send(outgoing, response);
  }

  async function answer(request: FakeRequest): Promise<FakeResponse | undefined> {
    for (const service of options.services) {
      if (service.service !== request.service) continue;
      const response = await service.handle(request);
      if (response !== undefined) return response;
    }
    return undefined;
  }

  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    calls,
    inject(fault) {
      faults.add(fault);
      return () => void faults.delete(fault);
    },
    async close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeAllConnections();
      await closed;
    },
  };
}

/** An error as services of the JSON protocols write it. */
export function jsonError(status: number, code: string, message: string): FakeResponse {
  return {
    status,
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': code },
    body: JSON.stringify({ __type: code, message }),
  };
}

export function jsonAnswer(value: unknown): FakeResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/x-amz-json-1.1' },
    body: JSON.stringify(value),
  };
}

async function readRequest(incoming: IncomingMessage): Promise<FakeRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const url = new URL(incoming.url ?? '/', 'http://127.0.0.1');
  const scope = /Credential=[^/]+\/\d{8}\/([^/]+)\/([^/]+)\//.exec(incoming.headers.authorization ?? '');
  const target = incoming.headers['x-amz-target'];
  return {
    service: scope?.[2] ?? 'unsigned',
    region: scope?.[1] ?? '',
    operation: typeof target === 'string' ? target.split('.').at(-1) : undefined,
    method: incoming.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: incoming.headers,
    body: Buffer.concat(chunks),
  };
}

async function forward(upstream: string | undefined, request: FakeRequest): Promise<FakeResponse> {
  if (upstream === undefined)
    return jsonError(
      501,
      'UnknownOperationException',
      `nothing here answers ${request.service}:${request.operation ?? request.method}`,
    );
  const query = request.query.toString();
  const target = new URL(`${request.path}${query === '' ? '' : `?${query}`}`, upstream);
  return new Promise((resolve, reject) => {
    const headers = { ...request.headers, 'content-length': String(request.body.length) };
    delete headers['transfer-encoding'];
    const outgoing = httpRequest(target, { method: request.method, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const kept = Object.entries(incoming.headers).flatMap(([name, value]) =>
          value === undefined || ['connection', 'transfer-encoding', 'content-length'].includes(name)
            ? []
            : [[name, String(value)] as const],
        );
        // A HEAD's length speaks of a body that is not sent.
        const length = incoming.headers['content-length'];
        if (request.method === 'HEAD' && length !== undefined) kept.push(['content-length', length]);
        resolve({
          status: incoming.statusCode ?? 502,
          headers: Object.fromEntries(kept),
          body: Buffer.concat(chunks),
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(request.body);
  });
}

function send(outgoing: ServerResponse, response: FakeResponse): void {
  const body = response.body ?? '';
  outgoing.writeHead(response.status, {
    'content-length': String(Buffer.byteLength(body)),
    'x-amzn-requestid': '00000000-0000-4000-8000-000000000000',
    ...response.headers,
  });
  outgoing.end(body);
}
