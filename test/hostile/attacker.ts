import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { PrivateKey } from '#ssh';
import { modernAlgorithms } from '../../ssh/algorithms/index.ts';
import { authenticateToTarget } from '../../ssh/authentication/index.ts';
import { createTransport, linkFromSocket, type Transport } from '../../ssh/transport/index.ts';
import { MessageNumber, WireWriter } from '../../ssh/wire/index.ts';
import { openSession } from './messages.ts';

/** A TCP connection without manners. Errors are what the other end did; `closed` tells when. */
export type RawConnection = {
  readonly socket: Socket;
  readonly received: () => Buffer;
  readonly closed: Promise<void>;
};

/** Long enough for a machine with other work. */
const answerMs = 15_000;
/** At most this much of what comes is kept. */
const keptBytes = 65_536;

export async function connectRaw(
  port: number,
  options: { readonly reads?: boolean } = {},
): Promise<RawConnection> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  let received = Buffer.alloc(0);
  if (options.reads !== false)
    socket.on('data', (chunk: Buffer) => {
      if (received.length < keptBytes) received = Buffer.concat([received, chunk]);
    });
  await once(socket, 'connect');
  return { socket, received: () => received, closed };
}

/** Writes the same bytes over and over, as fast as they are taken, until the connection ends. */
export async function flood({ socket, closed }: RawConnection, bytes: Uint8Array): Promise<void> {
  const over = settled(closed);
  while (!over.aborted) {
    if (socket.write(bytes)) await new Promise(setImmediate);
    else await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
  }
}

/** A packet before the first NEWKEYS (RFC 4253 §6). */
export function clearPacket(payload: Uint8Array): Buffer {
  const padding = 8 - ((5 + payload.length) % 8) + (8 - ((5 + payload.length) % 8) < 4 ? 8 : 0);
  const packet = Buffer.alloc(5 + payload.length + padding);
  packet.writeUInt32BE(1 + payload.length + padding);
  packet.writeUInt8(padding, 4);
  packet.set(payload, 5);
  return packet;
}

/** A KEXINIT that agrees with what the gateway offers. */
export function kexInit(): Buffer {
  const { keyExchange, hostKey, cipher, mac } = modernAlgorithms;
  const writer = new WireWriter().byte(20).raw(Buffer.alloc(16, 7));
  for (const names of [keyExchange, hostKey, cipher, cipher, mac, mac, ['none'], ['none'], [], []])
    writer.nameList(names);
  return writer.boolean(false).uint32(0).finish();
}

/** A client of ours whose key exchange is done, and nothing else. Messages that come are dropped. */
export async function connectEncrypted(port: number, localAddress = '127.0.0.1'): Promise<Transport> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  await once(socket, 'connect');
  const transport = createTransport(linkFromSocket(socket), {
    role: 'client',
    softwareVersion: 'attacker',
    algorithms: modernAlgorithms,
    verifyHostKey: () => ({ accepted: true }),
    // An attacker's own limits must not end it first.
    limits: { backlogLimitBytes: 2 ** 40, backlogHighBytes: 1_048_576, writeStallMs: 600_000 },
  });
  transport.onMessage = () => undefined;
  await transport.ready;
  return transport;
}

/** A client of ours that is logged in and speaks the connection protocol by hand. Messages that come are dropped. */
export async function connectLoggedIn(
  port: number,
  user: string,
  privateKey: PrivateKey,
  localAddress?: string,
): Promise<Transport> {
  const transport = await connectEncrypted(port, localAddress);
  await authenticateToTarget(transport, {
    user,
    credentials: [{ method: 'publickey', privateKey }],
    timeoutMs: 10_000,
  });
  transport.onMessage = () => undefined;
  return transport;
}

/** Sends the payload over and over until the connection ends, obeying nothing but its own socket. */
export async function floodMessages(transport: Transport, payload: Uint8Array, batch = 200): Promise<void> {
  const over = settled(transport.ended);
  while (!over.aborted) {
    for (let count = 0; count < batch; count += 1) transport.send(payload);
    do await new Promise(setImmediate);
    while (!over.aborted && transport.backlogBytes > 1_048_576);
  }
}

/** Aborted when the promise has settled. */
export function settled(promise: Promise<unknown>): AbortSignal {
  const controller = new AbortController();
  void promise.then(() => controller.abort());
  return controller.signal;
}

/** The promise's value, or a failure that says what did not happen in time. */
export async function untilWithin<Result>(
  ms: number,
  what: string,
  promise: Promise<Result>,
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`within ${ms} ms did not happen: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Opens a session channel; the number under which the target knows it. */
export async function openedSession(transport: Transport, window: number, number = 0): Promise<number> {
  const opened = nextMessage(transport, MessageNumber.channelOpenConfirmation);
  transport.send(openSession(number, window));
  return (await opened).readUInt32BE(5);
}

/** The next message with this number. */
export function nextMessage(transport: Transport, number: number): Promise<Buffer> {
  const found = new Promise<Buffer>((resolve, reject) => {
    transport.onMessage = (plain, payloadLength) => {
      const payload = plain.subarray(1, 1 + payloadLength);
      if (payload[0] === number) resolve(Buffer.from(payload));
    };
    void transport.ended.then((end) => reject(new Error(`the connection ended: ${end.description}`)));
  });
  return untilWithin(answerMs, `message ${number}`, found);
}
