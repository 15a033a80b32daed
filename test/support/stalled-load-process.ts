import { connect, type Socket } from 'node:net';
import { modernAlgorithms } from '../../ssh/algorithms/index.ts';
import { createTransport, linkFromSocket } from '../../ssh/transport/index.ts';
import { clearPacket, kexInit } from '../hostile/attacker.ts';
import { keyQuery, serviceRequest, userauth } from '../hostile/messages.ts';

/** Run by `startStalledLoad`: opens connections that stop at each step of the handshake in turn, and holds them. */
export type StalledOrder = { readonly port: number; readonly perStep: number };
export type StalledAnswer = { readonly held: number; readonly lost: number };

const identification = 'SSH-2.0-stalled\r\n';
const held = new Set<Socket>();
let lost = 0;

/** Connected as far as TCP goes. Each source address of the loopback network has its own ports. */
function open(port: number): Promise<Socket> {
  const source = `127.0.${1 + (held.size % 200)}.1`;
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: source });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      held.add(socket);
      socket.once('close', () => {
        held.delete(socket);
        lost += 1;
      });
      resolve(socket);
    });
  });
}

/** Sends what comes before the step, and nothing after; what comes back is read, so that the kernel keeps nothing. */
const byHand = (bytes: string | Buffer) => async (port: number) => {
  const socket = await open(port);
  socket.resume();
  if (bytes.length > 0) socket.write(bytes);
};

/** The key exchange done, then these messages. */
const encrypted =
  (...payloads: readonly Uint8Array[]) =>
  async (port: number) => {
    const transport = createTransport(linkFromSocket(await open(port)), {
      role: 'client',
      softwareVersion: 'stalled',
      algorithms: { ...modernAlgorithms, keyExchange: ['curve25519-sha256'] },
      verifyHostKey: () => ({ accepted: true }),
    });
    transport.onMessage = () => undefined;
    await transport.ready;
    for (const payload of payloads) transport.send(payload);
  };

const init = clearPacket(kexInit());
const exchange = clearPacket(Buffer.concat([Buffer.of(30, 0, 0, 0, 32), Buffer.alloc(31, 9), Buffer.of(7)]));

const steps: readonly ((port: number) => Promise<void>)[] = [
  byHand(''),
  byHand('SSH-2.0-sta'),
  byHand(identification),
  byHand(Buffer.concat([Buffer.from(identification), init.subarray(0, 100)])),
  byHand(Buffer.concat([Buffer.from(identification), init])),
  byHand(Buffer.concat([Buffer.from(identification), init, exchange.subarray(0, 20)])),
  encrypted(),
  encrypted(serviceRequest),
  encrypted(serviceRequest, userauth('root@web-1', 'none')),
  encrypted(serviceRequest, keyQuery('root@web-1')),
];

process.on('message', ({ port, perStep }: StalledOrder) => {
  void (async () => {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < steps.length * perStep) {
        const step = steps[next % steps.length];
        next += 1;
        await step?.(port).catch(() => {
          lost += 1;
        });
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));
    process.send?.({ held: held.size, lost } satisfies StalledAnswer);
  })();
});
process.on('disconnect', () => process.exit());
