import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeChannelSuccess,
  encodeClose,
  encodeData,
  encodeEof,
  encodeOpenFailure,
  encodeRequestFailure,
  encodeWindowAdjust,
  type Side,
} from '../../../ssh/connection/index.ts';
import type { RelayErrorCode } from '../../../ssh/relay/index.ts';
import {
  CLIENT_NUMBER,
  confirmMessage,
  openChannel,
  openMessage,
  otherGlobal,
  quiet,
  type Rig,
  relayRig,
  requestMessage,
  TARGET_NUMBER,
} from './relay-rig.ts';

const session = { kind: 'session' } as const;
const hi = Buffer.from('hi');

/** Each ends the connection of the side that sent it; the other side is told no more than that. */
const illegal: Record<string, readonly [Side, RelayErrorCode, (rig: Rig) => Promise<void> | void]> = {
  'data for a channel that never was': [
    'client',
    'unknown-channel',
    (rig) => rig.client.send(encodeData(5, hi)),
  ],
  'data addressed with the sender’s own number': [
    'client',
    'unknown-channel',
    async (rig) => {
      await openChannel(rig);
      rig.client.send(encodeData(CLIENT_NUMBER, hi));
    },
  ],
  'data of the target on a half-open channel': [
    'target',
    'unknown-channel',
    async (rig) => {
      rig.client.send(openMessage(session));
      await rig.target.take();
      rig.target.send(encodeData(CLIENT_NUMBER, hi));
    },
  ],
  'an adjust on a half-open channel': [
    'target',
    'unknown-channel',
    async (rig) => {
      rig.client.send(openMessage(session));
      await rig.target.take();
      rig.target.send(encodeWindowAdjust(CLIENT_NUMBER, 1));
    },
  ],
  'an adjust of the opener before it knows a number': [
    'client',
    'unknown-channel',
    async (rig) => {
      rig.client.send(openMessage(session));
      await rig.target.take();
      rig.client.send(encodeWindowAdjust(0, 1));
    },
  ],
  'a confirmation of what was not opened': [
    'target',
    'unknown-channel',
    (rig) => rig.target.send(confirmMessage()),
  ],
  'a second confirmation': [
    'target',
    'unknown-channel',
    async (rig) => {
      await openChannel(rig);
      rig.target.send(confirmMessage());
    },
  ],
  'a confirmation by the opener itself': [
    'client',
    'unknown-channel',
    async (rig) => {
      rig.client.send(openMessage(session));
      await rig.target.take();
      rig.client.send(confirmMessage());
    },
  ],
  'a refusal of what was not opened': [
    'client',
    'unknown-channel',
    (rig) => rig.client.send(encodeOpenFailure(0, 1, '')),
  ],
  'a refusal behind a confirmation': [
    'target',
    'unknown-channel',
    async (rig) => {
      await openChannel(rig);
      rig.target.send(encodeOpenFailure(CLIENT_NUMBER, 1, ''));
    },
  ],
  'an open with a number in use': [
    'client',
    'channel-number-in-use',
    async (rig) => {
      await openChannel(rig);
      rig.client.send(openMessage(session));
    },
  ],
  'an open with a number that is being opened': [
    'client',
    'channel-number-in-use',
    (rig) => rig.client.send(openMessage(session), openMessage(session)),
  ],
  'an open with the number of a channel half closed': [
    'client',
    'channel-number-in-use',
    async (rig) => {
      await openChannel(rig);
      rig.client.send(encodeClose(TARGET_NUMBER), openMessage(session));
    },
  ],
  'a confirmation with a number in use': [
    'target',
    'channel-number-in-use',
    async (rig) => {
      await openChannel(rig);
      rig.client.send(openMessage(session, 11));
      await rig.target.take();
      rig.target.send(confirmMessage(11));
    },
  ],
  'data behind an EOF': [
    'client',
    'channel-state',
    async (rig) => {
      await openChannel(rig);
      rig.client.send(encodeEof(TARGET_NUMBER), encodeData(TARGET_NUMBER, hi));
    },
  ],
  'a second EOF': [
    'target',
    'channel-state',
    async (rig) => {
      await openChannel(rig);
      rig.target.send(encodeEof(CLIENT_NUMBER), encodeEof(CLIENT_NUMBER));
    },
  ],
  'data behind a CLOSE': [
    'target',
    'channel-state',
    async (rig) => {
      await openChannel(rig);
      rig.target.send(encodeClose(CLIENT_NUMBER), encodeData(CLIENT_NUMBER, hi));
    },
  ],
  'an adjust behind a CLOSE': [
    'client',
    'channel-state',
    async (rig) => {
      await openChannel(rig);
      rig.client.send(encodeClose(TARGET_NUMBER), encodeWindowAdjust(TARGET_NUMBER, 1));
    },
  ],
  'a request behind a CLOSE': [
    'client',
    'channel-state',
    async (rig) => {
      await openChannel(rig);
      rig.client.send(encodeClose(TARGET_NUMBER), requestMessage(TARGET_NUMBER, { kind: 'shell' }, true));
    },
  ],
  'a second CLOSE': [
    'client',
    'channel-state',
    async (rig) => {
      await openChannel(rig);
      rig.client.send(encodeClose(TARGET_NUMBER), encodeClose(TARGET_NUMBER));
    },
  ],
  'a CLOSE when both are through': [
    'target',
    'unknown-channel',
    async (rig) => {
      await openChannel(rig);
      rig.client.send(encodeClose(TARGET_NUMBER));
      rig.target.send(encodeClose(CLIENT_NUMBER));
      await quiet();
      rig.target.send(encodeClose(CLIENT_NUMBER));
    },
  ],
  'a channel reply to nothing': [
    'target',
    'unexpected-reply',
    async (rig) => {
      await openChannel(rig);
      rig.target.send(encodeChannelSuccess(CLIENT_NUMBER));
    },
  ],
  'a channel reply to a request that wants none': [
    'target',
    'unexpected-reply',
    async (rig) => {
      await openChannel(rig);
      rig.client.send(requestMessage(TARGET_NUMBER, { kind: 'shell' }, false));
      await rig.target.take();
      rig.target.send(encodeChannelSuccess(CLIENT_NUMBER));
    },
  ],
  'a channel reply to one’s own request': [
    'client',
    'unexpected-reply',
    async (rig) => {
      await openChannel(rig);
      rig.client.send(requestMessage(TARGET_NUMBER, { kind: 'shell' }, true));
      await rig.target.take();
      rig.client.send(encodeChannelSuccess(TARGET_NUMBER));
    },
  ],
  'a second global reply': [
    'target',
    'unexpected-reply',
    async (rig) => {
      rig.client.send(otherGlobal('a@example.com'));
      await rig.target.take();
      rig.target.send(encodeRequestFailure(), encodeRequestFailure());
    },
  ],
  'a name with a control character': [
    'client',
    'malformed',
    (rig) => rig.client.send(openMessage({ kind: 'direct-streamlocal', path: '/a\nb' })),
  ],
  'an open that ends early': ['client', 'malformed', (rig) => rig.client.send(Buffer.of(90, 0, 0))],
  'data that does not fill its message': [
    'client',
    'malformed',
    (rig) => rig.client.send(Buffer.concat([encodeData(0, hi), hi])),
  ],
};

describe('a peer that breaks the protocol', () => {
  it.each(Object.entries(illegal))('by %s ends its connection', async (_, [side, code, act]) => {
    const rig = relayRig();

    await act(rig);

    const end = await rig.relay.ended;
    const other = side === 'client' ? 'target' : 'client';
    expect(end).toMatchObject({ by: 'fault', code: 2, error: { name: 'RelayError', code, side } });
    expect(await rig[side].transport.ended).toMatchObject({
      kind: 'disconnect',
      code: 2,
      description: end.description,
    });
    expect(await rig[other].transport.ended).toMatchObject({ kind: 'disconnect', code: 11 });
  });

  it('is not described to the target in its own words', async () => {
    const rig = relayRig();

    rig.client.send(encodeData(5, hi));

    expect(await rig.target.transport.ended).toMatchObject({ description: 'the client broke the protocol' });
  });

  it('has nothing passed behind its fault', async () => {
    const rig = relayRig();
    await openChannel(rig);

    rig.client.send(encodeData(5, hi), encodeData(TARGET_NUMBER, hi));

    await rig.relay.ended;
    expect(await rig.target.take()).toEqual([]);
  });

  it('costs its own connection only, whatever bytes it sends', async () => {
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(
          fc.constantFrom(80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100),
          fc.uint8Array({ maxLength: 40 }),
        )
        .map(([number, bytes]) => Buffer.concat([Buffer.of(number), bytes])),
      fc
        .tuple(fc.constantFrom(93, 94, 95, 96, 97, 98, 99), fc.uint8Array({ maxLength: 12 }))
        .map(([number, bytes]) => Buffer.concat([Buffer.of(number, 0, 0, 0, TARGET_NUMBER), bytes])),
    );

    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 12 }), async (messages) => {
        const rig = relayRig();
        await openChannel(rig);

        rig.client.send(...messages);
        await quiet();
        rig.relay.cut(11, 'enough');

        const { by, error } = await rig.relay.ended;
        expect(by === 'gateway' || error?.name === 'RelayError').toBe(true);
        expect(error).not.toMatchObject({ code: 'internal' });
        expect(rig.relay.channels.size).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});
