import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { algorithmProfiles } from '../../ssh/algorithms/index.ts';
import { connectSocket, createTransport, linkFromSocket } from '../../ssh/transport/index.ts';
import { MessageNumber } from '../../ssh/wire/index.ts';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { clearPacket } from './attacker.ts';
import { ignore } from './messages.ts';

/**
 * Prefix truncation (CVE-2023-48795): before the keys take effect somebody between the two ends puts in a message that one end counts, and then
 * takes away the first one under the keys, so that the numbers agree again and nobody misses it.
 */
let stack: Stack;
let middle: ManInTheMiddle | undefined;

beforeEach(async () => {
  stack = await startStack({ gatewayConfiguration: ['algorithms: compatible'] });
});

afterEach(async () => {
  await middle?.close();
  await stack.close();
});

const ciphers = [
  ['chacha20-poly1305@openssh.com', 'hmac-sha2-256-etm@openssh.com'],
  ['aes128-ctr', 'hmac-sha2-256-etm@openssh.com'],
  ['aes256-gcm@openssh.com', 'hmac-sha2-256-etm@openssh.com'],
] as const;

type Attack = { readonly inserts: boolean; readonly drops: boolean };
const attacks: readonly (readonly [string, Attack])[] = [
  ['a message put in and one taken away', { inserts: true, drops: true }],
  ['a message put in', { inserts: true, drops: false }],
  ['a message taken away', { inserts: false, drops: true }],
];

describe.each(ciphers)('with %s', (cipher, mac) => {
  test.each(attacks)(
    'as a server: %s towards the gateway ends the connection before anybody is let in',
    async (_what, attack) => {
      middle = await standBetween(stack.running.gateway.address.port, 'to-server', attack);

      const options = stack.sshOptions.map((option) =>
        option.startsWith('Port=') ? `Port=${middle?.port}` : option,
      );
      const forced = [`Ciphers=${cipher}`, `MACs=${mac}`, 'ConnectTimeout=5', 'ServerAliveInterval=1'];
      const finished = await run('ssh', [
        ...options,
        ...forced.flatMap((option) => ['-o', option]),
        stack.destination(),
        'echo in',
      ]);

      expect(finished.stdout.toString()).toBe('');
      expect(finished.code).toBe(255);
      expect(middle.done()).toBe(true);
    },
  );

  test.each(attacks)(
    'as a client: %s towards us by the way of a target is noticed',
    async (_what, attack) => {
      middle = await standBetween(stack.sshd.port, 'to-client', attack);
      const socket = await connectSocket({ host: '127.0.0.1', port: middle.port, timeoutMs: 10_000 });
      const transport = createTransport(linkFromSocket(socket), {
        role: 'client',
        softwareVersion: 'sshtrail',
        algorithms: { ...algorithmProfiles.compatible.transport, cipher: [cipher], mac: [mac] },
        verifyHostKey: () => ({ accepted: true }),
      });
      transport.onMessage = () => undefined;

      // Without its EXT_INFO the server's answer to this is the first packet that is looked at.
      await transport.ready.then(
        () =>
          transport.send(
            Buffer.concat([
              Buffer.of(MessageNumber.serviceRequest, 0, 0, 0, 12),
              Buffer.from('ssh-userauth'),
            ]),
          ),
        () => undefined,
      );
      const end = await transport.ended;

      expect(end.kind).toBe('fault');
      expect(end.description).toMatch(/in the middle of a key exchange|integrity check|packet of/);
      expect(middle.done()).toBe(true);
    },
  );
});

type ManInTheMiddle = { readonly port: number; readonly done: () => boolean; close(): Promise<void> };

/** Hands everything on, but for what the attack does in one direction. */
async function standBetween(
  serverPort: number,
  victim: 'to-server' | 'to-client',
  attack: Attack,
): Promise<ManInTheMiddle> {
  const sockets = new Set<Socket>();
  let done = false;
  const server: Server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    const [from, to] = victim === 'to-server' ? [client, upstream] : [upstream, client];
    to.on('data', (chunk: Buffer) => from.write(chunk));
    const truncate = truncation(attack, () => {
      done = true;
    });
    from.on('data', (chunk: Buffer) => {
      const passed = truncate(chunk);
      if (passed.length > 0) to.write(passed);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    done: () => done,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Follows one direction up to NEWKEYS, packet by packet as they stand in the clear. */
function truncation(attack: Attack, acted: () => void): (chunk: Buffer) => Buffer {
  let waiting = Buffer.alloc(0);
  let identified = false;
  let encrypted = false;
  let dropped = false;
  return (chunk) => {
    waiting = Buffer.concat([waiting, chunk]);
    const out: Buffer[] = [];
    if (!identified) {
      const end = waiting.indexOf('\n') + 1;
      if (end === 0) return Buffer.alloc(0);
      out.push(waiting.subarray(0, end));
      waiting = waiting.subarray(end);
      identified = true;
    }
    while (!encrypted && waiting.length >= 6 && waiting.length >= 4 + waiting.readUInt32BE(0)) {
      const packet = waiting.subarray(0, 4 + waiting.readUInt32BE(0));
      waiting = waiting.subarray(packet.length);
      if (packet[5] === MessageNumber.newKeys) {
        encrypted = true;
        if (attack.inserts) {
          out.push(clearPacket(ignore(8)));
          acted();
        }
      }
      out.push(packet);
    }
    if (encrypted && waiting.length > 0) {
      // What comes in one piece is one flight: an end that has just taken new keys says one thing and waits.
      if (attack.drops && !dropped) {
        dropped = true;
        acted();
      } else out.push(waiting);
      waiting = Buffer.alloc(0);
    }
    return Buffer.concat(out);
  };
}
