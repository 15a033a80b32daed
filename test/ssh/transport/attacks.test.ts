import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Transport, TransportOptions } from '../../../ssh/transport/index.ts';
import { kexInitPayload } from '../../../ssh/transport/negotiation.ts';
import { MessageNumber, WireWriter } from '../../../ssh/wire/index.ts';
import {
  type Alter,
  alone,
  bothReady,
  clientOptions,
  inbox,
  message,
  overMiddleman,
  overSockets,
  overStreams,
  quickAlgorithms,
  serverOptions,
  until,
} from './linked-transports.ts';
import { ScriptedPeer, type ScriptedPeerOptions } from './scripted-peer.ts';

const ignore = message(MessageNumber.ignore, 10);

function scripted(options: Omit<ScriptedPeerOptions, 'role'> & { readonly attacker: 'client' | 'server' }): {
  transport: Transport;
  peer: ScriptedPeer;
} {
  const ours: TransportOptions = options.attacker === 'client' ? serverOptions : clientOptions;
  const { transport, peer } = alone(ours);
  return {
    transport,
    peer: new ScriptedPeer(peer, ours.softwareVersion, { ...options, role: options.attacker }),
  };
}

const bothRoles = [{ attacker: 'client' as const }, { attacker: 'server' as const }];

describe.each(bothRoles)('strict key exchange against a hostile $attacker', ({ attacker }) => {
  it.each(['kexinit', 'method', 'newkeys'] as const)('ends on an IGNORE before %s (R5)', async (moment) => {
    const { transport, peer } = scripted({ attacker });

    peer.shakeHands((next) => next === moment && peer.send(ignore)).catch(() => undefined);

    expect(await transport.ended).toMatchObject({ kind: 'fault', code: 2 });
  });

  it.each([MessageNumber.debug, MessageNumber.unimplemented, MessageNumber.extInfo, 80])(
    'ends on message %i in the exchange',
    async (number) => {
      const { transport, peer } = scripted({ attacker });

      peer.shakeHands((next) => next === 'newkeys' && peer.send(message(number, 10))).catch(() => undefined);

      expect(await transport.ended).toMatchObject({ kind: 'fault', code: 2 });
    },
  );

  it('still hears a DISCONNECT in the exchange', async () => {
    const { transport, peer } = scripted({ attacker });
    const goodbye = new WireWriter().byte(1).uint32(11).string('changed my mind').string('').finish();

    peer.shakeHands((next) => next === 'newkeys' && peer.send(goodbye)).catch(() => undefined);

    expect(await transport.ended).toMatchObject({ kind: 'disconnect', description: 'changed my mind' });
  });

  it('is not imposed on a peer that does not know it', async () => {
    const { transport, peer } = scripted({ attacker, strict: false });

    await peer.shakeHands((next) => next !== 'done' && peer.send(ignore));
    await transport.ready;

    expect(transport.negotiated.strict).toBe(false);
  });

  it('does not let such a peer send anything else in the exchange', async () => {
    const { transport, peer } = scripted({ attacker, strict: false });

    peer.shakeHands((next) => next === 'method' && peer.send(message(80, 10))).catch(() => undefined);

    expect(await transport.ended).toMatchObject({ kind: 'fault', code: 2 });
  });

  it('lets such a peer talk idly so long and no longer', async () => {
    const { transport, peer } = scripted({ attacker, strict: false });

    for (let count = 0; count < 33; count += 1) peer.send(ignore);

    expect(await transport.ended).toMatchObject({ kind: 'fault', error: { code: 'limit-exceeded' } });
  });
});

describe('a guess (first_kex_packet_follows)', () => {
  it('that was wrong is skipped, exactly one packet of it (R8)', async () => {
    const algorithms = { ...quickAlgorithms, keyExchange: ['ecdh-sha2-nistp256', 'curve25519-sha256'] };
    const { transport, peer } = scripted({ attacker: 'client', algorithms });
    peer.exchange.ownInit.writeUInt8(1, peer.exchange.ownInit.length - 5);

    await peer.shakeHands(
      (next) =>
        next === 'method' && peer.send(new WireWriter().byte(30).string(Buffer.alloc(65, 4)).finish()),
    );
    await transport.ready;

    expect(transport.negotiated.keyExchange).toBe('curve25519-sha256');
  });

  it('that was right is used', async () => {
    const { transport, peer } = scripted({ attacker: 'client' });
    peer.exchange.ownInit.writeUInt8(1, peer.exchange.ownInit.length - 5);

    await peer.shakeHands();
    await transport.ready;

    expect(transport.negotiated.keyExchange).toBe('curve25519-sha256');
  });
});

describe.each(bothRoles)('after the exchange, a hostile $attacker', ({ attacker }) => {
  const kexInit = () => kexInitPayload(attacker, quickAlgorithms, false);

  it.each([
    ['NEWKEYS from nowhere', [Buffer.from([21])]],
    ['a key exchange message from nowhere', [message(30, 40)]],
    ['a reply from nowhere', [message(31, 40)]],
    ['an unassigned key exchange number', [message(25, 40)]],
    ['KEXINIT twice', [kexInit(), kexInit()]],
    ['a cut KEXINIT', [kexInit().subarray(0, 40)]],
    ['NEWKEYS right behind KEXINIT', [kexInit(), Buffer.from([21])]],
    ['data behind KEXINIT (R2)', [kexInit(), message(94, 40)]],
    ['a service request behind KEXINIT', [kexInit(), message(5, 40)]],
    ['EXT_INFO behind KEXINIT', [kexInit(), new WireWriter().byte(7).uint32(0).finish()]],
    [
      'a zero-length point',
      [
        kexInit(),
        new WireWriter()
          .byte(attacker === 'client' ? 30 : 31)
          .string('')
          .finish(),
      ],
    ],
    ['a cut DISCONNECT', [message(1, 6)]],
    ['a cut PING', [message(192, 3)]],
  ])('sends %s and ends its own connection', async (_what, payloads) => {
    const { transport, peer } = scripted({ attacker });
    await peer.shakeHands();
    await transport.ready;
    inbox(transport);

    for (const payload of payloads) peer.send(payload);

    expect(await transport.ended).toMatchObject({ kind: 'fault' });
  });

  it('puts nothing into logs and terminals with its last words', async () => {
    const { transport, peer } = scripted({ attacker });
    await peer.shakeHands();
    const text = 'bye\r\nfake log line\u001b[2J\u202e\u2028x';

    peer.send(new WireWriter().byte(1).uint32(11).string(text).string('').finish());

    expect(await transport.ended).toMatchObject({
      kind: 'disconnect',
      description: 'bye??fake log line?[2J??x',
    });
  });

  it('cannot keep the DISCONNECT text arbitrarily long', async () => {
    const { transport, peer } = scripted({ attacker });
    await peer.shakeHands();

    peer.send(new WireWriter().byte(1).uint32(11).string('x'.repeat(100_000)).string('').finish());

    expect((await transport.ended).description.length).toBeLessThan(600);
  });
});

describe('a layer above that fails over a message', () => {
  it('ends that connection only, and tells the peer no detail', async () => {
    const [broken, sound] = await Promise.all([bothReady(overStreams()), bothReady(overStreams())]);
    broken.server.onMessage = () => {
      throw new Error('secret detail');
    };
    const received = inbox(sound.server);

    broken.client.send(message(80, 10));
    sound.client.send(message(80, 10));
    await until(() => received.length === 1, 'the other connection goes on');

    expect(await broken.server.ended).toMatchObject({ kind: 'fault', error: { code: 'handler-failed' } });
    expect(await broken.client.ended).toMatchObject({
      kind: 'disconnect',
      description: 'this end failed over a message',
    });
  });
});

describe('a middleman', () => {
  const suites = [
    ['aes256-gcm@openssh.com', 16],
    ['aes128-ctr', 32],
  ] as const;

  it.each(['toServer', 'toClient'] as const)(
    'who puts an IGNORE in front of KEXINIT %s is found out (CVE-2023-48795)',
    async (direction) => {
      const splitter = new PacketSplitter(16);
      const alter: Alter = (bytes) =>
        splitter
          .split(bytes)
          .flatMap((part) =>
            part.kind === 'packet' && part.index === 0 ? [plainIgnore(), part.bytes] : [part.bytes],
          );
      const pair = overMiddleman({ [direction]: alter });

      const end = await (direction === 'toServer' ? pair.server : pair.client).ended;

      expect(end).toMatchObject({ kind: 'fault', code: 2 });
    },
  );

  it.each(
    suites.flatMap(([cipher, tagBytes]) =>
      (['toServer', 'toClient'] as const).map((direction) => ({ cipher, tagBytes, direction })),
    ),
  )(
    'who deletes the first encrypted packet $direction under $cipher is found out',
    async ({ cipher, tagBytes, direction }) => {
      const splitter = new PacketSplitter(tagBytes);
      const alter: Alter = (bytes) =>
        splitter
          .split(bytes)
          .flatMap((part) => (part.kind === 'sealed' && part.index === 0 ? [] : [part.bytes]));
      const algorithms = { ...quickAlgorithms, cipher: [cipher], mac: ['hmac-sha2-256-etm@openssh.com'] };
      const pair = await bothReady(
        overMiddleman({ [direction]: alter }, { client: { algorithms }, server: { algorithms } }),
      );
      const [from, to] = direction === 'toServer' ? [pair.client, pair.server] : [pair.server, pair.client];
      const received = inbox(to);

      from.send(message(80, 10));
      from.send(message(80, 10));

      expect(await to.ended).toMatchObject({ kind: 'fault', code: 5, error: { code: 'packet-forged' } });
      expect(received).toEqual([]);
    },
  );

  it('who changes any byte of an encrypted packet gets nothing delivered', async () => {
    for (let position = 0; position < 4 + 32 + 16; position += 1) {
      const splitter = new PacketSplitter(16);
      const alter: Alter = (bytes) =>
        splitter.split(bytes).map((part) => {
          if (part.kind !== 'sealed' || part.bytes.length !== 52) return part.bytes;
          const forged = Buffer.from(part.bytes);
          forged.writeUInt8(forged.readUInt8(position) ^ 0x10, position);
          return forged;
        });
      const pair = await bothReady(overMiddleman({ toServer: alter }));
      const received = inbox(pair.server);

      pair.client.send(message(80, 20));
      // A length that grew waits for bytes that never come: more of them end it.
      for (let count = 0; count < 12; count += 1) pair.client.send(message(80, 60_000));

      expect(await pair.server.ended).toMatchObject({ kind: 'fault' });
      expect(received).toEqual([]);
      pair.client.cut(11, 'next');
    }
  });

  it('who changes one byte anywhere in the handshake never leaves both ends ready with different ideas', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1400 }),
        fc.integer({ min: 1, max: 255 }),
        async (position, mask) => {
          let seen = 0;
          const alter: Alter = (bytes) => {
            const forged = Buffer.from(bytes);
            const at = position - seen;
            seen += bytes.length;
            if (at >= 0 && at < forged.length) forged.writeUInt8(forged.readUInt8(at) ^ mask, at);
            return [forged];
          };
          const limits = { keyExchangeTimeoutMs: 40 };
          const pair = overMiddleman({ toClient: alter }, { client: { limits }, server: { limits } });

          const [client, server] = await Promise.allSettled([pair.client.ready, pair.server.ready]);

          const bothAreReady = client.status === 'fulfilled' && server.status === 'fulfilled';

          expect(!bothAreReady || pair.client.sessionId.equals(pair.server.sessionId)).toBe(true);
          pair.client.cut(11, 'next');
          pair.server.cut(11, 'next');
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('random bytes', () => {
  it.each([
    ['a server', serverOptions],
    ['a client', clientOptions],
  ])('in the place of a peer never do more than end %s', async (_what, options) => {
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.uint8Array({ minLength: 1, maxLength: 2000 }),
        async (identified, bytes) => {
          const { transport, peer } = alone(options);
          peer.resume();
          if (identified) peer.write('SSH-2.0-noise\r\n');
          peer.write(Buffer.from(bytes));
          peer.end();

          const end = await transport.ended;

          expect(['fault', 'closed', 'disconnect']).toContain(end.kind);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('in KEXINIT’s lists never do more than end a server', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 400 }), async (bytes) => {
        const { transport, peer } = scripted({ attacker: 'client' });

        peer.send(Buffer.concat([Buffer.from([20]), Buffer.alloc(16), Buffer.from(bytes)]));

        expect(await transport.ended).toMatchObject({ kind: 'fault' });
      }),
      { numRuns: 60 },
    );
  });
});

describe('floods', () => {
  it('before the first key exchange is done end at 256 KiB', async () => {
    const { transport, peer } = scripted({ attacker: 'client', strict: false });

    for (let count = 0; count < 9; count += 1) peer.send(message(MessageNumber.ignore, 32_000));

    expect(await transport.ended).toMatchObject({ kind: 'fault', code: 2 });
  });

  it('of a packet that alone exceeds what is left end when its length is read', async () => {
    const { transport, peer } = scripted({ attacker: 'client', strict: false });
    const head = Buffer.alloc(8);
    head.writeUInt32BE(256 * 1024 - 4);

    peer.send(ignore);
    peer.sendRaw(head);

    expect(await transport.ended).toMatchObject({ kind: 'fault', error: { code: 'packet-length' } });
  });

  it('of pings by a peer that reads no answer end its connection before the answers pile up', async () => {
    const pair = await bothReady(await overSockets({ client: { limits: { backlogLimitBytes: 1 << 30 } } }));
    pair.client.setReadPaused(true);
    const ping = new WireWriter().byte(MessageNumber.ping).string(Buffer.alloc(30_000)).finish();

    for (let count = 0; count < 1500; count += 1) pair.client.send(ping);

    expect(await pair.server.ended).toMatchObject({ kind: 'fault', error: { code: 'limit-exceeded' } });
  });

  it('of pings by a peer that reads no answer leave what comes later unread until it does', async () => {
    const pair = await bothReady(await overSockets({ client: { limits: { backlogLimitBytes: 1 << 30 } } }));
    let taken = 0;
    pair.client.onMessage = () => {
      taken += 1;
    };
    pair.client.setReadPaused(true);
    const congested = new Promise<void>((resolve) => {
      pair.server.onBacklog = (isCongested) => {
        if (isCongested) resolve();
      };
    });
    let sent = 0;
    const filling = setInterval(() => {
      for (let count = 0; count < 20; count += 1, sent += 1) pair.server.send(message(150, 30_000));
    }, 1);
    await congested;
    clearInterval(filling);
    const asked = 2000 * 1000;
    for (let count = 0; count < 2000; count += 1) pair.client.send(pingOf(1000));
    await vi.waitFor(() => expect(pair.server.bytesIn).toBeGreaterThan(64_000), { timeout: 10_000 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const readUnanswered = pair.server.bytesIn;
    pair.client.setReadPaused(false);

    await vi.waitFor(() => expect(pair.server.bytesIn).toBeGreaterThanOrEqual(asked), { timeout: 10_000 });
    await vi.waitFor(() => expect(taken).toBe(sent), { timeout: 10_000 });
    expect(readUnanswered).toBeLessThan(asked / 2);
    pair.client.disconnect(11, 'done');
  });

  it('of unknown messages by a peer that reads no answer end likewise', async () => {
    const pair = await bothReady(await overSockets({ client: { limits: { backlogLimitBytes: 1 << 30 } } }));
    pair.server.onMessage = () => pair.server.rejectCurrent();
    const pong = new WireWriter().byte(MessageNumber.ping).string(Buffer.alloc(30_000)).finish();
    pair.client.setReadPaused(true);

    // Pings fill the way back; the small answers then pile up.
    for (let count = 0; count < 1500; count += 1) pair.client.send(count % 2 === 0 ? pong : message(150, 10));

    expect(await pair.server.ended).toMatchObject({ kind: 'fault', error: { code: 'limit-exceeded' } });
  });
});

function pingOf(bytes: number): Buffer {
  return new WireWriter().byte(MessageNumber.ping).string(Buffer.alloc(bytes)).finish();
}

type Part = { readonly kind: 'line' | 'packet' | 'sealed'; readonly index: number; readonly bytes: Buffer };

/** Finds the packets in one direction of a connection whose lengths travel in the clear. */
class PacketSplitter {
  readonly #tagBytes: number;
  #pending: Buffer = Buffer.alloc(0);
  #stage: 'line' | 'packet' | 'sealed' = 'line';
  #index = 0;

  constructor(tagBytes: number) {
    this.#tagBytes = tagBytes;
  }

  split(bytes: Buffer): Part[] {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    const parts: Part[] = [];
    for (let length = this.#nextLength(); length <= this.#pending.length; length = this.#nextLength()) {
      const part = { kind: this.#stage, index: this.#index, bytes: this.#pending.subarray(0, length) };
      this.#pending = this.#pending.subarray(length);
      this.#index += 1;
      parts.push(part);
      if (part.kind === 'line') this.#enter('packet');
      else if (part.kind === 'packet' && part.bytes[5] === MessageNumber.newKeys) this.#enter('sealed');
    }
    return parts;
  }

  #enter(stage: 'packet' | 'sealed'): void {
    this.#stage = stage;
    this.#index = 0;
  }

  #nextLength(): number {
    if (this.#stage === 'line') {
      const end = this.#pending.indexOf('\n');
      return end < 0 ? Number.POSITIVE_INFINITY : end + 1;
    }
    if (this.#pending.length < 4) return Number.POSITIVE_INFINITY;
    return 4 + this.#pending.readUInt32BE(0) + (this.#stage === 'sealed' ? this.#tagBytes : 0);
  }
}

function plainIgnore(): Buffer {
  // packet_length 12, padding 6, IGNORE with an empty string.
  return Buffer.from([0, 0, 0, 12, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}
