import { describe, expect, it } from 'vitest';
import { targetAlgorithms } from '../../../ssh/algorithms/index.ts';
import { generatePrivateKey } from '../../../ssh/keys/index.ts';
import {
  createTransport,
  type HostKey,
  linkFromDuplex,
  TransportError,
} from '../../../ssh/transport/index.ts';
import { certifiedHostKey } from './host-keys.ts';
import {
  alone,
  bothReady,
  clientOptions,
  hostKey,
  inbox,
  message,
  overSockets,
  overStreams,
  quickAlgorithms,
  serverOptions,
  until,
} from './linked-transports.ts';

const macs = [
  'hmac-sha2-256-etm@openssh.com',
  'hmac-sha2-512-etm@openssh.com',
  'hmac-sha2-256',
  'hmac-sha2-512',
];
const suites = targetAlgorithms.cipher.flatMap((cipher) =>
  /gcm|poly1305/.test(cipher) ? [{ cipher, mac: 'implicit' }] : macs.map((mac) => ({ cipher, mac })),
);
const allHostKeys: Promise<HostKey[]> = Promise.all([
  certifiedHostKey('ed25519'),
  certifiedHostKey('ecdsa-p256'),
  certifiedHostKey('ecdsa-p384'),
  certifiedHostKey('ecdsa-p521'),
  certifiedHostKey('rsa-3072'),
]);

describe('the first key exchange', () => {
  it.each(targetAlgorithms.keyExchange)(
    '%s works with every host key, cipher and MAC',
    async (keyExchange) => {
      const hostKeys = await allHostKeys;
      const [firstHostKey] = targetAlgorithms.hostKey;
      for (const hostKeyName of targetAlgorithms.hostKey) {
        for (const { cipher, mac } of suites) {
          // Those over large numbers take long: of them each host key once, and each suite once.
          const isSlow = keyExchange.startsWith('diffie-hellman');
          if (isSlow && hostKeyName !== firstHostKey && cipher !== suites[0]?.cipher) continue;
          const algorithms = {
            keyExchange: [keyExchange],
            hostKey: [hostKeyName],
            cipher: [cipher],
            mac: [mac],
          };
          if (mac === 'implicit') algorithms.mac = macs;
          const presented: string[] = [];
          const pair = overStreams({
            client: {
              algorithms,
              verifyHostKey: (_blob, algorithm) => {
                presented.push(algorithm);
                return { accepted: true };
              },
            },
            server: { algorithms, hostKeys },
          });
          await bothReady(pair);
          const received = inbox(pair.server);
          pair.client.send(message(80, 100, 7));
          await until(() => received.length === 1, 'a message under the new keys');

          expect(received[0]).toEqual(message(80, 100, 7));
          expect(presented).toEqual([hostKeyName]);
          expect(pair.client.negotiated).toEqual({
            keyExchange,
            hostKey: hostKeyName,
            cipherIn: cipher,
            cipherOut: cipher,
            macIn: mac,
            macOut: mac,
            strict: true,
          });
          expect(pair.server.sessionId).toEqual(pair.client.sessionId);
          pair.client.cut(11, 'next');
        }
      }
    },
  );

  it('tells each end who the other is', async () => {
    const { client, server } = await bothReady(await overSockets());

    expect(client.remoteIdentification).toBe('SSH-2.0-server_1.0');
    expect(server.remoteIdentification).toBe('SSH-2.0-client_1.0');
    expect(server.sessionId).toHaveLength(32);
  });

  it('takes the client’s first choice in each direction', async () => {
    const client = { ...quickAlgorithms, cipher: ['aes128-ctr', 'aes128-gcm@openssh.com'] };

    const pair = await bothReady(overStreams({ client: { algorithms: client } }));

    expect(pair.server.negotiated).toMatchObject({ cipherIn: 'aes128-ctr', cipherOut: 'aes128-ctr' });
  });

  it.each([
    ['keyExchange', ['ecdh-sha2-nistp256']],
    ['hostKey', ['rsa-sha2-512']],
    ['cipher', ['aes256-ctr']],
  ] as const)('fails on both ends where no %s is common', async (list, names) => {
    const server = { ...quickAlgorithms, cipher: ['aes128-gcm@openssh.com'] };
    const pair = overStreams({
      client: { algorithms: { ...quickAlgorithms, [list]: names } },
      server: { algorithms: server },
    });

    const [clientEnd, serverEnd] = await Promise.all([pair.client.ended, pair.server.ended]);

    expect([clientEnd, serverEnd]).toContainEqual(expect.objectContaining({ kind: 'fault', code: 3 }));
    await expect(pair.client.ready).rejects.toBeInstanceOf(TransportError);
    await expect(pair.server.ready).rejects.toBeInstanceOf(TransportError);
  });

  it('never takes an announcement for a method', async () => {
    // A client that lists the server's own pseudo-names as methods.
    const { transport, peer } = alone(serverOptions);
    peer.resume();
    peer.write('SSH-2.0-x\r\n');
    peer.write(
      Buffer.from(
        rawPacket(kexInit(['ext-info-s', 'kex-strict-s-v00@openssh.com', 'constructor'], ['ssh-ed25519'])),
      ),
    );

    await expect(transport.ready).rejects.toMatchObject({ code: 'no-common-algorithm' });
  });
});

describe('the host key', () => {
  it('is judged by the caller, and a refusal ends both sides with its reason here only', async () => {
    const pair = overStreams({
      client: { verifyHostKey: () => ({ accepted: false, reason: 'not the pinned key' }) },
    });

    await expect(pair.client.ready).rejects.toMatchObject({ code: 'host-key-refused' });
    expect(await pair.client.ended).toMatchObject({ kind: 'fault', code: 9 });
    expect(await pair.server.ended).toMatchObject({ kind: 'disconnect', code: 9 });
  });

  it('is not accepted by a judge that fails', async () => {
    const pair = overStreams({
      client: {
        verifyHostKey: () => {
          throw new Error('the store of known hosts is unreadable');
        },
      },
    });

    await expect(pair.client.ready).rejects.toMatchObject({ code: 'handler-failed' });
    expect(await pair.server.ended).toMatchObject({
      kind: 'disconnect',
      description: 'this end failed over a message',
    });
  });

  it('reaches the caller as the whole blob', async () => {
    const blobs: Buffer[] = [];
    const verifyHostKey = (blob: Buffer) => {
      blobs.push(Buffer.from(blob));
      return { accepted: true as const };
    };

    await bothReady(overStreams({ client: { verifyHostKey } }));

    expect(blobs).toEqual([hostKey.publicKey.blob]);
  });

  it('is refused where its signature is by another key', async () => {
    const impostor = generatePrivateKey('ed25519');
    const stolen: HostKey = {
      privateKey: { ...impostor, publicKey: hostKey.publicKey, sign: impostor.sign.bind(impostor) },
    };

    const pair = overStreams({ server: { hostKeys: [stolen] } });

    await expect(pair.client.ready).rejects.toMatchObject({ code: 'key-exchange-failed' });
  });

  it('is refused where a user certificate is presented as one', async () => {
    const pair = overStreams({ server: { hostKeys: [await certifiedHostKey('ed25519', 'user')] } });

    await expect(pair.client.ready).rejects.toMatchObject({ code: 'key-exchange-failed' });
  });

  it('is judged once where later exchanges present the same', async () => {
    let judged = 0;
    const pair = await bothReady(
      overStreams({
        client: {
          verifyHostKey: () => {
            judged += 1;
            return { accepted: true };
          },
        },
      }),
    );
    const received = inbox(pair.client);

    pair.client.rekey();
    pair.server.send(message(80, 10));
    await until(() => received.length === 1, 'a message after the rekey');

    expect(judged).toBe(1);
  });
});

describe('options', () => {
  it.each([
    ['a client without a judge of host keys', { ...clientOptions, verifyHostKey: undefined }],
    ['a server without host keys', { ...serverOptions, hostKeys: [] }],
    [
      'a server whose host keys fit no preferred algorithm',
      { ...serverOptions, hostKeys: [{ privateKey: generatePrivateKey('ecdsa-p256') }] },
    ],
    ['an unknown cipher', { ...clientOptions, algorithms: { ...quickAlgorithms, cipher: ['aes128-cbc'] } }],
    ['an empty list', { ...clientOptions, algorithms: { ...quickAlgorithms, mac: [] } }],
    ['a version with a line end', { ...clientOptions, softwareVersion: 'a\r\nb' }],
  ])('with %s are refused', (_what, options) => {
    expect(() => createTransport(linkFromDuplex(alone(clientOptions).peer), options as never)).toThrow(
      expect.objectContaining({ code: 'bad-options' }),
    );
  });
});

describe('before the first key exchange', () => {
  it('session id and algorithms cannot be asked for', () => {
    const { transport } = alone(clientOptions);

    expect(() => transport.sessionId).toThrow(expect.objectContaining({ code: 'not-ready' }));
    expect(() => transport.negotiated).toThrow(expect.objectContaining({ code: 'not-ready' }));
    expect(transport.remoteIdentification).toBe('');
  });

  it('what is sent waits and arrives in order', async () => {
    const pair = overStreams();
    const received = inbox(pair.server);
    for (let count = 0; count < 5; count += 1) pair.client.send(message(80, 10 + count));

    await until(() => received.length === 5, 'the queued messages');

    expect(received.map((payload) => payload.length)).toEqual([10, 11, 12, 13, 14]);
  });

  it('nobody has to listen to the promises', async () => {
    const { transport, peer } = alone(serverOptions);

    peer.resume();
    peer.write('nonsense that is no version\r\n');

    expect(await transport.ended).toMatchObject({ kind: 'fault', code: 8 });
  });
});

const list = (names: readonly string[]) => {
  const text = Buffer.from(names.join(','));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text]);
};

function kexInit(methods: readonly string[], hostKeys: readonly string[]): Buffer {
  const ciphers = list(['aes128-gcm@openssh.com']);
  return Buffer.concat([
    Buffer.from([20]),
    Buffer.alloc(16),
    list(methods),
    list(hostKeys),
    ciphers,
    ciphers,
    list(['hmac-sha2-256-etm@openssh.com']),
    list(['hmac-sha2-256-etm@openssh.com']),
    list(['none']),
    list(['none']),
    list([]),
    list([]),
    Buffer.alloc(5),
  ]);
}

function rawPacket(payload: Buffer): Buffer {
  const padding = 4 + ((8 - ((5 + payload.length + 4) % 8)) % 8);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(1 + payload.length + padding);
  head.writeUInt8(padding, 4);
  return Buffer.concat([head, payload, Buffer.alloc(padding)]);
}
