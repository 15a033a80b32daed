import { describe, expect, it } from 'vitest';
import {
  encodeChannelFailure,
  encodeClose,
  encodeData,
  encodeOpenFailure,
  encodeRequestFailure,
} from '../../../ssh/connection/index.ts';
import type { RelayGates, Verdict } from '../../../ssh/relay/index.ts';
import {
  CLIENT_NUMBER,
  confirmMessage,
  globalMessage,
  openChannel,
  openMessage,
  otherGlobal,
  quiet,
  relayRig,
  requestMessage,
  TARGET_NUMBER,
} from './relay-rig.ts';

const session = { kind: 'session' } as const;
const shell = requestMessage(TARGET_NUMBER, { kind: 'shell' }, true);

describe('gates', () => {
  it('hold back everything later of that leg until they have decided, and nothing of the other', async () => {
    const verdict = Promise.withResolvers<Verdict>();
    const rig = relayRig({ gates: { channelRequest: () => verdict.promise } });
    await openChannel(rig);

    rig.client.send(shell, encodeData(TARGET_NUMBER, Buffer.from('typed early')));
    rig.target.send(encodeData(CLIENT_NUMBER, Buffer.from('banner')));
    const held = await rig.target.take();
    const other = await rig.client.takeOne();
    verdict.resolve({ kind: 'pass' });
    const released = await rig.target.take();

    expect(held).toEqual([]);
    expect(other).toEqual(encodeData(CLIENT_NUMBER, Buffer.from('banner')));
    expect(released).toEqual([shell, encodeData(TARGET_NUMBER, Buffer.from('typed early'))]);
  });

  it('that decide at once hold nothing', async () => {
    const rig = relayRig();
    let holds = 0;
    await quiet();
    const hold = rig.clientLeg.hold.bind(rig.clientLeg);
    rig.clientLeg.hold = () => {
      holds += 1;
      hold();
    };

    await openChannel(rig);
    rig.client.send(shell, globalMessage({ kind: 'keepalive' }));
    await rig.target.take();

    expect(holds).toBe(0);
  });

  it('refuse an open with their reason and words, in the name of the target', async () => {
    const rig = relayRig({
      gates: {
        channelOpen: async () => ({ kind: 'refuse', openFailureReason: 4, message: 'wait for approval' }),
      },
    });

    rig.client.send(openMessage(session));

    expect(await rig.client.takeOne()).toEqual(encodeOpenFailure(CLIENT_NUMBER, 4, 'wait for approval'));
    expect(await rig.target.take()).toEqual([]);
  });

  it.each<Verdict>([{ kind: 'drop' }, { kind: 'refuse', message: 'no' }])(
    'that say $kind have requests answered only where an answer is wanted',
    async (verdict) => {
      const rig = relayRig({ gates: { channelRequest: () => verdict, globalRequest: async () => verdict } });
      await openChannel(rig);

      rig.client.send(
        requestMessage(TARGET_NUMBER, { kind: 'env', name: 'A', value: Buffer.alloc(0) }, false),
        shell,
        otherGlobal('a@example.com', false),
        otherGlobal('b@example.com', true),
      );

      expect(await rig.client.take()).toEqual([encodeChannelFailure(CLIENT_NUMBER), encodeRequestFailure()]);
      expect(await rig.target.take()).toEqual([]);
      expect(rig.log).toEqual(['opened 1 session']);
    },
  );

  it.each<[string, Partial<RelayGates>]>([
    [
      'throws',
      {
        channelOpen: () => {
          throw new Error('secret detail');
        },
      },
    ],
    ['rejects', { channelOpen: () => Promise.reject(new Error('secret detail')) }],
  ])('end the relay when one %s, and tell the peers no more than that', async (_, gates) => {
    const rig = relayRig({ gates });

    rig.client.send(openMessage(session));

    const end = await rig.relay.ended;
    expect(end).toMatchObject({
      by: 'fault',
      error: { code: 'gate-failed', cause: { message: 'secret detail' } },
    });
    expect(await rig.client.transport.ended).toMatchObject({
      kind: 'disconnect',
      description: 'the gateway could not decide about a request',
    });
    expect(await rig.target.transport.ended).toMatchObject({ kind: 'disconnect' });
    expect(await rig.target.take()).toEqual([]);
  });

  it('that decide after the end pass nothing', async () => {
    const verdict = Promise.withResolvers<Verdict>();
    const rig = relayRig({ gates: { channelOpen: () => verdict.promise } });
    rig.client.send(openMessage(session));
    await quiet();

    rig.relay.cut(11, 'locked');
    verdict.resolve({ kind: 'pass' });
    await quiet();

    expect(await rig.target.take()).toEqual([]);
    expect(rig.relay.channels.size).toBe(0);
  });

  it('may let a request pass to a target that closed meanwhile, whose answer nobody waits for', async () => {
    const verdict = Promise.withResolvers<Verdict>();
    const rig = relayRig({ gates: { channelRequest: () => verdict.promise } });
    await openChannel(rig);
    rig.client.send(shell);
    await quiet();
    rig.target.send(encodeClose(CLIENT_NUMBER));
    await rig.client.take();

    verdict.resolve({ kind: 'pass' });

    expect(await rig.target.takeOne()).toEqual(shell);
    expect(rig.log.at(-1)).toBe('1 shell from client: none');
    rig.client.send(encodeClose(TARGET_NUMBER));
    await quiet();
    expect(rig.log.at(-1)).toBe('closed 1');
  });

  it('that refuse a request after the target closed have nothing sent on the closed channel', async () => {
    const verdict = Promise.withResolvers<Verdict>();
    const rig = relayRig({ gates: { channelRequest: () => verdict.promise } });
    await openChannel(rig);
    rig.client.send(shell);
    await quiet();
    rig.target.send(encodeClose(CLIENT_NUMBER));
    await rig.client.take();

    verdict.resolve({ kind: 'refuse', message: 'no' });

    expect(await rig.client.take()).toEqual([]);
    expect(await rig.target.take()).toEqual([]);
  });

  it('see an open as it arrived, not as it was passed on', async () => {
    const windows: number[] = [];
    const rig = relayRig({
      gates: {
        channelOpen: (open) => {
          windows.push(open.initialWindow);
          return { kind: 'pass' };
        },
      },
    });

    rig.client.send(openMessage(session, CLIENT_NUMBER, 50_000));
    await rig.target.take();
    rig.target.send(confirmMessage());
    await rig.client.take();

    expect(windows).toEqual([50_000]);
    expect(rig.relay.channels.get(1)?.open.initialWindow).toBe(50_000);
  });
});

describe('taps', () => {
  it('that throw end the relay before what they failed to see is passed', async () => {
    const rig = relayRig({
      taps: {
        channelData: () => {
          throw new Error('recorder is gone');
        },
      },
    });
    await openChannel(rig);

    rig.target.send(encodeData(CLIENT_NUMBER, Buffer.from('unrecorded')));

    expect(await rig.relay.ended).toMatchObject({ by: 'fault', error: { code: 'internal' } });
    expect(await rig.client.take()).toEqual([]);
  });

  it('that throw at the end do not keep the relay from ending', async () => {
    const rig = relayRig({
      taps: {
        channelClosed: () => {
          throw new Error('too late');
        },
      },
    });
    await openChannel(rig);

    rig.relay.end(11, 'bye');

    expect(await rig.relay.ended).toMatchObject({ by: 'gateway', error: { code: 'internal' } });
  });
});
