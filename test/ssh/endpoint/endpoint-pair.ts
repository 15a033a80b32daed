import type { Readable } from 'node:stream';
import {
  createEndpoint,
  type Endpoint,
  type EndpointChannel,
  type EndpointHandlers,
} from '../../../ssh/endpoint/index.ts';
import {
  type MemoryTransportOptions,
  type MemoryTransports,
  memoryTransports,
} from '../../support/memory-transport.ts';

export type EndpointPair = {
  readonly transports: MemoryTransports;
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** Channels the server accepted, in order. */
  readonly accepted: EndpointChannel[];
};

/** Two endpoints that talk to each other; the server accepts every channel unless its handlers say otherwise. */
export function endpointPair(
  serverHandlers: EndpointHandlers = {},
  options: MemoryTransportOptions = {},
): EndpointPair {
  const transports = memoryTransports(options);
  const accepted: EndpointChannel[] = [];
  const server = createEndpoint(transports.server, {
    onOpen: () => ({ accept: (channel) => accepted.push(channel) }),
    ...serverHandlers,
  });
  return { transports, client: createEndpoint(transports.client), server, accepted };
}

/** Opens a session and returns both ends of it. */
export async function openPair(
  pair: EndpointPair,
  type: 'session' | 'direct-tcpip' = 'session',
): Promise<{ readonly near: EndpointChannel; readonly far: EndpointChannel }> {
  const near = await (type === 'session'
    ? pair.client.openSession()
    : pair.client.openDirectTcpip({ host: '192.0.2.1', port: 80 }));
  const far = pair.accepted.at(-1);
  if (far === undefined) throw new Error('the server accepted no channel');
  return { near, far };
}

export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Bytes in which any loss, repetition or swap shows. */
export function patterned(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed >>> 0 || 1;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
