import { describe, expect, it } from 'vitest';
import { encodeClose, encodeData } from '../../../ssh/connection/index.ts';
import { RelayError } from '../../../ssh/relay/index.ts';
import { Leg } from '../../../ssh/relay/leg.ts';
import { endOfFault, endOfLeg } from '../../../ssh/relay/relay-end.ts';
import { memoryTransports } from '../../support/memory-transport.ts';
import {
  CLIENT_NUMBER,
  confirmMessage,
  globalMessage,
  openChannel,
  openMessage,
  quiet,
  relayRig,
  requestMessage,
  TARGET_NUMBER,
} from './relay-rig.ts';

const session = { kind: 'session' } as const;

describe('ends (A)', () => {
  it('A4: passes the client’s normal exit on to the target as it is', async () => {
    const rig = relayRig();

    rig.client.transport.disconnect(11, 'disconnected by user');

    expect(await rig.target.transport.ended).toMatchObject({
      kind: 'disconnect',
      code: 11,
      description: 'disconnected by user',
    });
    expect(await rig.relay.ended).toEqual({ by: 'client', code: 11, description: 'disconnected by user' });
  });

  it('A4: tells the client what the target said, and who said it', async () => {
    const rig = relayRig();

    rig.target.transport.disconnect(2, 'too many sessions');

    expect(await rig.client.transport.ended).toMatchObject({
      code: 2,
      description: 'target: too many sessions',
    });
    expect(await rig.relay.ended).toEqual({ by: 'target', code: 2, description: 'too many sessions' });
  });

  it.each(['client', 'target'] as const)(
    'A4: tells the other end that the %s closed without a word',
    async (side) => {
      const rig = relayRig();
      const other = side === 'client' ? 'target' : 'client';

      rig[side].transport.drop();

      const description = `the ${side} closed the connection`;
      expect(await rig[other].transport.ended).toMatchObject({ kind: 'disconnect', code: 10, description });
      expect(await rig.relay.ended).toEqual({ by: side, code: 10, description });
    },
  );

  it('A4: delivers what the target sent before it closed', async () => {
    const rig = relayRig();
    await openChannel(rig);

    rig.target.send(encodeData(CLIENT_NUMBER, Buffer.from('last words')), encodeClose(CLIENT_NUMBER));
    rig.target.transport.drop();

    await rig.relay.ended;
    expect(await rig.client.take()).toEqual([
      encodeData(CLIENT_NUMBER, Buffer.from('last words')),
      encodeClose(CLIENT_NUMBER),
    ]);
  });

  it('A4: waits for a client that reads slowly before it says goodbye', async () => {
    const rig = relayRig();
    await openChannel(rig);
    rig.client.transport.setReadPaused(true);
    rig.target.send(encodeData(CLIENT_NUMBER, Buffer.from('slow')));
    await quiet();

    rig.target.transport.disconnect(11, 'bye');
    await quiet();
    rig.client.transport.setReadPaused(false);

    expect(await rig.client.takeOne()).toEqual(encodeData(CLIENT_NUMBER, Buffer.from('slow')));
    expect(await rig.client.transport.ended).toMatchObject({ kind: 'disconnect' });
  });

  it('A5: ends both legs when one makes no progress, which is how a dead peer shows while its leg is paused', () => {
    const leg = new Leg('client', memoryTransports().server, 1);
    const error = new Error('stalled');

    const { end, farewell } = endOfLeg(leg, {
      kind: 'fault',
      code: 10,
      description: 'no byte was taken for 60 s',
      error,
    });

    expect(end).toEqual({
      by: 'fault',
      code: 10,
      description: 'the connection to the client failed: no byte was taken for 60 s',
      error,
    });
    expect(farewell.code).toBe(10);
  });

  it('A5: does not leave a leg paused once its sink has drained', async () => {
    const rig = relayRig({ backlogHighBytes: 10_000 });
    await openChannel(rig);
    const pauses: boolean[] = [];
    const setReadPaused = rig.targetLeg.setReadPaused.bind(rig.targetLeg);
    rig.targetLeg.setReadPaused = (paused) => {
      pauses.push(paused);
      setReadPaused(paused);
    };
    rig.client.transport.setReadPaused(true);
    rig.target.send(encodeData(CLIENT_NUMBER, Buffer.alloc(20_000)));
    await quiet();

    rig.client.transport.setReadPaused(false);
    await quiet();

    expect(pauses).toEqual([true, false]);
    rig.target.transport.drop();
    expect(await rig.relay.ended).toMatchObject({ by: 'target' });
  });

  it('A6: cuts at once, although a backlog waits and an orderly end is under way', async () => {
    const rig = relayRig();
    await openChannel(rig);
    const cuts: string[] = [];
    for (const leg of [rig.clientLeg, rig.targetLeg]) {
      const cut = leg.cut.bind(leg);
      leg.cut = (code, description) => {
        cuts.push(`${code} ${description}`);
        cut(code, description);
      };
    }

    rig.relay.end(11, 'closing time');
    rig.relay.cut(11, 'locked');

    expect(cuts).toEqual(['11 locked', '11 locked']);
    expect(await rig.relay.ended).toEqual({ by: 'gateway', code: 11, description: 'closing time' });
  });

  it('tells both legs the words of an orderly end, and passes nothing afterwards', async () => {
    const rig = relayRig();
    await openChannel(rig);

    const deliver = rig.clientLeg.onMessage;
    const forwarded = rig.targetLeg.sent.length;
    rig.relay.end(11, 'the session was revoked');
    rig.client.send(encodeData(TARGET_NUMBER, Buffer.from('too late')));
    deliver?.(Buffer.concat([Buffer.of(0), encodeData(TARGET_NUMBER, Buffer.from('x'))]), 10);

    expect(await rig.client.transport.ended).toMatchObject({
      code: 11,
      description: 'the session was revoked',
    });
    expect(await rig.target.transport.ended).toMatchObject({
      code: 11,
      description: 'the session was revoked',
    });
    expect(await rig.target.take()).toEqual([]);
    expect(rig.targetLeg.sent.length).toBe(forwarded);
    expect(rig.relay.channels.get(1)?.bytesFrom.client ?? 0).toBe(0);
    expect(rig.relay.notice('hello')).toBe(0);
  });

  it('has told the taps the end of everything by the time it has ended', async () => {
    const rig = relayRig();
    await openChannel(rig);
    rig.client.send(
      requestMessage(TARGET_NUMBER, { kind: 'shell' }, true),
      globalMessage({ kind: 'keepalive' }),
      openMessage(session, 11),
    );
    await rig.target.take();

    rig.target.transport.drop();
    await rig.relay.ended;

    expect(rig.log).toEqual([
      'opened 1 session',
      '1 shell from client: none',
      'closed 1',
      'refused session 2 the connection ended',
      'keepalive@openssh.com from client: none',
    ]);
    expect(rig.relay.channels.size).toBe(0);
  });

  it('ends when a leg had ended before', async () => {
    const engineer = memoryTransports();
    engineer.client.drop();
    await quiet();

    const rig = relayRig({ engineer });

    expect(await rig.relay.ended).toMatchObject({ by: 'client' });
  });

  it('tells both ends the same where the fault is the gateway’s', () => {
    const { end, farewells } = endOfFault(new RelayError('gate-failed', 'the gateway could not decide'));

    expect(end).toMatchObject({ by: 'fault', code: 11, description: 'the gateway could not decide' });
    expect(farewells.client).toEqual(farewells.target);
  });

  it('gives a leg that somebody else ended locally as the gateway’s end', async () => {
    const rig = relayRig();

    rig.clientLeg.disconnect(11, 'idle too long');

    expect(await rig.relay.ended).toEqual({ by: 'gateway', code: 11, description: 'idle too long' });
    expect(await rig.target.transport.ended).toMatchObject({ code: 11, description: 'idle too long' });
  });
});

describe('the beginning', () => {
  it('leaves time to send USERAUTH_SUCCESS before what the target has already sent', async () => {
    const rig = relayRig({
      before: ({ server }) => server.send(globalMessage({ kind: 'keepalive' })),
    });
    rig.clientLeg.send(Buffer.of(52));

    const [first, second] = await rig.client.take();

    expect(first).toEqual(Buffer.of(52));
    expect(second).toEqual(globalMessage({ kind: 'keepalive' }));
  });

  it('answers an open whose confirmation comes in the same flight as data', async () => {
    const rig = relayRig();
    rig.client.send(openMessage(session));
    await rig.target.take();

    rig.target.send(confirmMessage(), encodeData(CLIENT_NUMBER, Buffer.from('motd')));

    expect(await rig.client.take()).toEqual([
      confirmMessage(),
      encodeData(CLIENT_NUMBER, Buffer.from('motd')),
    ]);
  });
});
