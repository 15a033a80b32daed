import net from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { onTestFinished } from 'vitest';
import { modernAlgorithms } from '../../../ssh/algorithms/index.ts';
import { generatePrivateKey } from '../../../ssh/keys/index.ts';
import {
  adoptConnection,
  connectSocket,
  createTransport,
  linkFromDuplex,
  linkFromSocket,
  type Transport,
  type TransportOptions,
} from '../../../ssh/transport/index.ts';

export const hostKey = generatePrivateKey('ed25519');

/** The fast exchange: what a test is not about should not cost it time. */
export const quickAlgorithms = { ...modernAlgorithms, keyExchange: ['curve25519-sha256'] };

export const clientOptions: TransportOptions = {
  role: 'client',
  softwareVersion: 'client_1.0',
  algorithms: quickAlgorithms,
  verifyHostKey: () => ({ accepted: true }),
};

export const serverOptions: TransportOptions = {
  role: 'server',
  softwareVersion: 'server_1.0',
  algorithms: quickAlgorithms,
  hostKeys: [{ privateKey: hostKey }],
};

export type Changes = {
  readonly client?: Partial<TransportOptions>;
  readonly server?: Partial<TransportOptions>;
};
export type TransportPair = { readonly client: Transport; readonly server: Transport };

/** Two transports over a connected TCP socket pair, both in the middle of their first key exchange. */
export async function overSockets(changes: Changes = {}, adopt = true): Promise<TransportPair> {
  const [clientSocket, serverSocket] = await socketPair(adopt);
  return ended({
    client: createTransport(linkFromSocket(clientSocket), { ...clientOptions, ...changes.client }),
    server: createTransport(linkFromSocket(serverSocket), { ...serverOptions, ...changes.server }),
  });
}

/** The same over a pair of streams in this process. */
export function overStreams(changes: Changes = {}): TransportPair {
  const [near, far] = duplexPair();
  return ended({
    client: createTransport(linkFromDuplex(near), { ...clientOptions, ...changes.client }),
    server: createTransport(linkFromDuplex(far), { ...serverOptions, ...changes.server }),
  });
}

export type Alter = (bytes: Buffer) => readonly Buffer[];

/** Two transports with somebody in the middle, who may change, drop and add bytes. */
export function overMiddleman(
  alter: { readonly toServer?: Alter; readonly toClient?: Alter },
  changes: Changes = {},
): TransportPair & {
  readonly toServer: (bytes: Buffer) => void;
  readonly toClient: (bytes: Buffer) => void;
} {
  const [clientEnd, middleTowardsClient] = duplexPair();
  const [serverEnd, middleTowardsServer] = duplexPair();
  pass(middleTowardsClient, middleTowardsServer, alter.toServer);
  pass(middleTowardsServer, middleTowardsClient, alter.toClient);
  const pair = ended({
    client: createTransport(linkFromDuplex(clientEnd), { ...clientOptions, ...changes.client }),
    server: createTransport(linkFromDuplex(serverEnd), { ...serverOptions, ...changes.server }),
  });
  return {
    ...pair,
    toServer: (bytes) => middleTowardsServer.write(bytes),
    toClient: (bytes) => middleTowardsClient.write(bytes),
  };
}

/** A transport and the raw stream at its other end. */
export function alone(options: TransportOptions): { readonly transport: Transport; readonly peer: Duplex } {
  const [near, far] = duplexPair();
  const transport = createTransport(linkFromDuplex(near), options);
  onTestFinished(() => transport.cut(11, 'the test is over'));
  far.on('error', () => undefined);
  return { transport, peer: far };
}

export async function socketPair(adopt = true): Promise<[net.Socket, net.Socket]> {
  const server = net.createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  const client = await connectSocket({ host: '127.0.0.1', port: portOf(server), timeoutMs: 5000 });
  const raw = await accepted;
  const serverSide = adopt ? adoptConnection(raw) : raw;
  onTestFinished(() => {
    server.close();
    client.destroy();
    serverSide.destroy();
  });
  return [client, serverSide];
}

export function portOf(server: net.Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new Error('the server does not listen on a port');
  return address.port;
}

export async function bothReady<T extends TransportPair>(pair: T): Promise<T> {
  await Promise.all([pair.client.ready, pair.server.ready]);
  return pair;
}

/** Collects payloads as they are delivered. */
export function inbox(transport: Transport): Buffer[] {
  const messages: Buffer[] = [];
  transport.onMessage = (plain, payloadLength) => messages.push(plain.subarray(1, 1 + payloadLength));
  return messages;
}

/** Polls until a condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it did not happen in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** What a call throws, if it throws. */
export function errorOf(call: () => unknown): unknown {
  try {
    call();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** A message of the connection protocol's numbers, which transports pass on unread. */
export function message(number: number, length: number, fill = 0): Buffer {
  const payload = Buffer.alloc(length, fill);
  payload[0] = number;
  return payload;
}

/** Ends the transports after the test, without keeping them alive until then. */
function ended<T extends TransportPair>(pair: T): T {
  const transports = [new WeakRef(pair.client), new WeakRef(pair.server)];
  onTestFinished(() => {
    for (const transport of transports) transport.deref()?.cut(11, 'the test is over');
  });
  return pair;
}

function pass(from: Duplex, to: Duplex, alter: Alter = (bytes) => [bytes]): void {
  from.on('data', (bytes: Buffer) => {
    for (const part of alter(bytes)) to.write(part);
  });
  from.on('end', () => to.end());
  from.on('error', () => undefined);
}
