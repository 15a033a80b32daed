import { describe, expect, it } from 'vitest';
import {
  encodeData,
  encodeOpenFailure,
  encodeRequestFailure,
  encodeWindowAdjust,
} from '../../../ssh/connection/index.ts';
import {
  CLIENT_NUMBER,
  confirmMessage,
  openChannel,
  openMessage,
  otherGlobal,
  quiet,
  relayRig,
  requestMessage,
  TARGET_NUMBER,
} from './relay-rig.ts';

const session = { kind: 'session' } as const;

describe('a flood', () => {
  it('of 100,000 opens takes no more than the limit of channels, and ends the connection', async () => {
    const rig = relayRig();

    const open = openMessage(session);
    for (let number = 0; number < 100_000; number += 1) {
      // Behind the message number and the type.
      open.writeUInt32BE(number, 1 + 4 + 'session'.length);
      rig.client.send(open);
    }
    const atTarget = await rig.target.take();
    const answers = await rig.client.take();

    expect(atTarget).toHaveLength(256);
    expect(answers.length).toBeGreaterThanOrEqual(1000);
    expect(answers.length).toBeLessThan(2000);
    expect(answers[0]).toEqual(encodeOpenFailure(256, 4, 'too many channels are open'));
    expect(await rig.relay.ended).toMatchObject({
      by: 'fault',
      code: 2,
      error: { code: 'too-many-refused' },
    });
  });

  it('of opens is refused in both directions together, undecided ones counted', async () => {
    const decide = Promise.withResolvers<void>();
    const rig = relayRig({
      limits: { maxChannels: 2 },
      gates: {
        channelOpen: (open) =>
          open.from === 'client' ? decide.promise.then(() => ({ kind: 'pass' })) : { kind: 'pass' },
      },
    });
    rig.client.send(requestForward(), openMessage(session, 1), openMessage(session, 2));
    await quiet();
    const forwarded = { kind: 'forwarded-streamlocal', path: '/x' } as const;

    rig.target.send(openMessage(forwarded, 1), openMessage(forwarded, 2));
    await quiet();
    decide.resolve();
    const answers = await rig.target.take();

    expect(rig.relay.channels.size).toBe(2);
    expect(answers.filter((message) => message[0] === 92)).toEqual([
      encodeOpenFailure(2, 4, 'too many channels are open'),
    ]);
  });

  it('of refused opens makes room again each time', async () => {
    const rig = relayRig({
      limits: { maxChannels: 1 },
      gates: { channelOpen: async () => ({ kind: 'refuse', openFailureReason: 1, message: 'no' }) },
    });

    for (let number = 0; number < 100; number += 1) rig.client.send(openMessage(session, number));
    await quiet(300);

    expect(rig.client.received).toHaveLength(100);
    expect(rig.client.received.at(-1)).toEqual(encodeOpenFailure(99, 1, 'no'));
  });

  it('of 100,000 global requests is ended by its own connection', async () => {
    const rig = relayRig();
    const request = otherGlobal('flood@example.com');

    for (let count = 0; count < 100_000; count += 1) rig.client.send(request);

    const end = await rig.relay.ended;
    expect(end.error).toMatchObject({ code: 'too-many-requests', side: 'client' });
    expect(await rig.target.take()).toHaveLength(256);
  });

  it('of global requests we answer behind one the target does not is ended too', async () => {
    const rig = relayRig({ limits: { maxPendingRequests: 3 } });

    rig.client.send(otherGlobal('slow@example.com'));
    for (let count = 0; count < 3; count += 1) rig.client.send(otherGlobal('hostkeys-prove-00@openssh.com'));

    expect((await rig.relay.ended).error).toMatchObject({ code: 'too-many-requests' });
  });

  it('of requests on one channel is ended', async () => {
    const rig = relayRig();
    await openChannel(rig);

    for (let count = 0; count < 65; count += 1)
      rig.client.send(requestMessage(TARGET_NUMBER, { kind: 'other', data: Buffer.alloc(0) }, true));

    expect((await rig.relay.ended).error).toMatchObject({ code: 'too-many-requests', side: 'client' });
    expect(await rig.target.take()).toHaveLength(64);
  });

  it('of requests that want no reply is not counted as unanswered', async () => {
    const rig = relayRig();

    for (let count = 0; count < 10_000; count += 1) rig.client.send(otherGlobal('flood@example.com', false));

    expect(await rig.target.take()).toHaveLength(10_000);
  });

  it('of requests from a client that never reads is read no further than its backlog', async () => {
    const rig = relayRig({ backlogHighBytes: 1000 });
    rig.client.transport.setReadPaused(true);

    for (let count = 0; count < 100_000; count += 1)
      rig.client.send(otherGlobal('hostkeys-prove-00@openssh.com'));
    await quiet();
    const backlog = rig.clientLeg.backlogBytes;
    rig.client.transport.setReadPaused(false);
    await quiet(600);

    expect(backlog).toBeLessThan(1100);
    expect(rig.client.received).toHaveLength(100_000);
    expect(rig.client.received.at(-1)).toEqual(encodeRequestFailure());
  });

  it('of tiny packets and adjusts passes one for one and leaves nothing behind', async () => {
    const rig = relayRig();
    rig.client.send(openMessage(session));
    await rig.target.take();
    rig.target.send(confirmMessage(CLIENT_NUMBER, TARGET_NUMBER, 200_000));
    await rig.client.take();
    const one = encodeData(TARGET_NUMBER, Buffer.of(0x61));
    const none = encodeData(TARGET_NUMBER, Buffer.alloc(0));
    const adjust = encodeWindowAdjust(TARGET_NUMBER, 1);

    for (let count = 0; count < 100_000; count += 1) rig.client.send(count % 2 === 0 ? one : none);
    for (let count = 0; count < 100_000; count += 1) rig.client.send(adjust);
    const received = await rig.target.take();

    expect(received).toHaveLength(200_000);
    expect(rig.targetLeg.backlogBytes).toBe(0);
    expect(rig.relay.channels.get(1)?.bytesFrom).toEqual({ client: 50_000, target: 0 });
  });
});

function requestForward(): Buffer {
  const path = Buffer.from('/x');
  return Buffer.concat([
    Buffer.of(80, 0, 0, 0, 31),
    Buffer.from('streamlocal-forward@openssh.com'),
    Buffer.of(0, 0, 0, 0, path.length),
    path,
  ]);
}
