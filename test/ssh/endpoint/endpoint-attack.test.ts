import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeChannelOpen,
  encodeChannelRequest,
  encodeChannelSuccess,
  encodeClose,
  encodeData,
  encodeEof,
  encodeGlobalRequest,
  encodeOpenConfirmation,
  encodeOpenFailure,
  encodeRequestSuccess,
  encodeWindowAdjust,
} from '../../../ssh/connection/index.ts';
import { createEndpoint, type Endpoint, type EndpointChannel } from '../../../ssh/endpoint/index.ts';
import { type MemoryTransports, memoryTransports } from '../../support/memory-transport.ts';
import { type MessagePeer, messagePeer } from '../../support/message-peer.ts';

type Attack = {
  readonly transports: MemoryTransports;
  readonly peer: MessagePeer;
  readonly endpoint: Endpoint;
  readonly channels: EndpointChannel[];
};

const windowBytes = 2 * 1024 * 1024;

/** Our server end against a client played by hand. */
function startAttack(onOpen: 'accept' | 'never' = 'accept'): Attack {
  const transports = memoryTransports();
  const channels: EndpointChannel[] = [];
  const endpoint = createEndpoint(transports.server, {
    onOpen: () =>
      onOpen === 'never'
        ? new Promise(() => undefined)
        : {
            accept: (channel) => {
              channel.onRequest = () => new Promise(() => undefined);
              channels.push(channel);
            },
          },
    onGlobalRequest: () => new Promise(() => undefined),
  });
  return { transports, peer: messagePeer(transports.client), endpoint, channels };
}

function open(senderChannel = 0, initialWindow = windowBytes, maximumPacket = 32 * 1024): Buffer {
  return encodeChannelOpen({
    type: 'session',
    senderChannel,
    initialWindow,
    maximumPacket,
    detail: { kind: 'session' },
  });
}

const shell = encodeChannelRequest(0, { type: 'shell', wantReply: true, detail: { kind: 'shell' } });
const full = encodeData(0, Buffer.alloc(32 * 1024));

describe('a peer that breaks the protocol loses its connection', () => {
  it.each([
    ['more data than the window', [open(), ...Array.from({ length: 65 }, () => full)]],
    ['a data packet that is too large', [open(), encodeData(0, Buffer.alloc(32 * 1024 + 1))]],
    ['data for a channel that is not open', [full]],
    ['data behind EOF', [open(), encodeEof(0), full]],
    ['data behind CLOSE', [open(), encodeClose(0), full]],
    ['a second CLOSE', [open(), encodeClose(0), encodeClose(0)]],
    ['a window past 2^32-1', [open(), encodeWindowAdjust(0, 0xffff_ffff)]],
    ['a reply nothing had asked for', [open(), encodeChannelSuccess(0)]],
    ['a global reply nothing had asked for', [encodeRequestSuccess()]],
    [
      'a confirmation nothing had asked for',
      [encodeOpenConfirmation({ recipientChannel: 0, senderChannel: 0, initialWindow: 1, maximumPacket: 1 })],
    ],
    ['a refusal nothing had asked for', [encodeOpenFailure(0, 1, '')]],
    ['data whose length lies', [open(), Buffer.of(94, 0, 0, 0, 0, 0, 0, 0, 9, 1)]],
    ['a truncated open', [Buffer.of(90, 0)]],
    ['channel requests without end', [open(), ...Array.from({ length: 200 }, () => shell)]],
    [
      'global requests without end',
      Array.from({ length: 200 }, () =>
        encodeGlobalRequest({
          type: 'keepalive@openssh.com',
          wantReply: true,
          detail: { kind: 'keepalive' },
        }),
      ),
    ],
  ])('for %s', async (_name, payloads) => {
    const { transports, peer, endpoint } = startAttack();

    for (const payload of payloads) peer.send(payload);
    const end = await endpoint.ended;

    expect(end).toMatchObject({ kind: 'fault', code: 2 });
    expect((await transports.client.ended).kind).toBe('disconnect');
  });
});

describe('limits', () => {
  it('a window is exactly as large as granted', async () => {
    const { transports, peer, channels } = startAttack();
    peer.send(open());
    for (let count = 0; count < 64; count += 1) peer.send(full);
    while (!transports.server.idle) await setImmediate();

    expect(channels[0]?.destroyed).toBe(false);
    expect(transports.server.sent).not.toContain(1);
  });

  it('a window of one-byte packets is kept in few buffers', async () => {
    const { transports, peer, channels } = startAttack();
    peer.send(open());
    for (let count = 0; count < 50_000; count += 1) peer.send(encodeData(0, Buffer.of(count)));
    while (!transports.server.idle) await setImmediate();
    const sizes: number[] = [];
    channels[0]?.on('data', (chunk: Buffer) => sizes.push(chunk.length));

    await expect.poll(() => sizes.reduce((sum, size) => sum + size, 0)).toBe(50_000);
    expect(sizes.length).toBeLessThan(4);
  });

  it('channels over the limit are refused, waiting ones counted', async () => {
    const { transports, peer } = startAttack('never');
    for (let count = 0; count < 1030; count += 1) peer.send(open(count));
    while (!transports.server.idle) await setImmediate();

    expect(transports.server.sent).toEqual(Array.from({ length: 6 }, () => 92));
  });

  it('a channel that could never carry a byte is refused', async () => {
    const { transports, peer } = startAttack();

    peer.send(open(0, windowBytes, 0));

    await expect.poll(() => transports.server.sent).toEqual([92]);
  });

  it('a one-byte window is served a byte at a time', async () => {
    const { peer, channels } = startAttack();
    peer.send(open(0, 1));
    await peer.next();
    channels[0]?.write('ab');

    const first = await peer.next();
    peer.send(encodeWindowAdjust(0, 1));
    const second = await peer.next();

    expect([first.at(-1), second.at(-1)]).toEqual([0x61, 0x62]);
  });

  it('nothing is sent behind our CLOSE', async () => {
    const { transports, peer, channels } = startAttack();
    peer.send(open());
    await peer.next();
    channels[0]?.destroy();
    for (const payload of [full, shell, encodeEof(0), encodeWindowAdjust(0, 5), encodeClose(0)])
      peer.send(payload);
    while (!transports.server.idle) await setImmediate();

    expect(transports.server.sent).toEqual([91, 97]);
  });
});

describe('random messages', () => {
  it('never throw and never hang the endpoint', async () => {
    const wellFormed = fc.constantFrom(
      open(),
      open(1, 0),
      shell,
      encodeData(0, Buffer.from('data')),
      encodeData(1, Buffer.alloc(0)),
      encodeEof(0),
      encodeEof(1),
      encodeClose(0),
      encodeWindowAdjust(0, 1000),
      Buffer.of(95, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 65),
      Buffer.of(95, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 65),
    );
    const random = fc
      .tuple(fc.integer({ min: 50, max: 105 }), fc.uint8Array({ maxLength: 40 }))
      .map(([number, rest]) => Buffer.of(number, ...rest));

    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 6, arbitrary: wellFormed }, { weight: 1, arbitrary: random }), {
          maxLength: 20,
        }),
        async (payloads) => {
          const { transports, peer, endpoint, channels } = startAttack();
          for (const payload of payloads) peer.send(payload);
          while (!transports.server.idle) await setImmediate();
          for (const channel of channels) channel.resume();
          transports.client.drop();

          const end = await endpoint.ended;

          expect(['closed', 'fault']).toContain(end.kind);
          for (const channel of channels) await channel.over;
        },
      ),
      { numRuns: 300 },
    );
  });
});
