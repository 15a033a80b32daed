import { describe, expect, it } from 'vitest';
import {
  encodeChannelFailure,
  encodeChannelSuccess,
  encodeClose,
  encodeData,
  encodeEof,
  encodeExtendedData,
  encodeOpenFailure,
  encodeRequestFailure,
  encodeRequestSuccess,
  encodeWindowAdjust,
} from '../../../ssh/connection/index.ts';
import type { Verdict } from '../../../ssh/relay/index.ts';
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

const direct = {
  kind: 'direct-tcpip',
  host: 'db.example.com',
  port: 5432,
  originHost: '',
  originPort: 0,
} as const;

describe('what may cross (X)', () => {
  it('X1: drops the host keys a target announces', async () => {
    const rig = relayRig();

    rig.target.send(otherGlobal('hostkeys-00@openssh.com', false));

    expect(await rig.client.take()).toEqual([]);
    expect(await rig.target.take()).toEqual([]);
  });

  it('X1: answers a request to prove host keys itself, with failure', async () => {
    const rig = relayRig();

    rig.client.send(otherGlobal('hostkeys-prove-00@openssh.com'));

    expect(await rig.client.takeOne()).toEqual(encodeRequestFailure());
    expect(await rig.target.take()).toEqual([]);
  });

  it('X2: lets an answer of its own wait for the global answers before it', async () => {
    const refusal: Verdict = { kind: 'refuse', message: 'no' };
    const rig = relayRig({
      gates: { globalRequest: ({ type }) => (type === 'no@example.com' ? refusal : { kind: 'pass' }) },
    });

    rig.client.send(
      globalMessage({ kind: 'tcpip-forward', host: '', port: 0 }),
      otherGlobal('no@example.com'),
      otherGlobal('hostkeys-prove-00@openssh.com'),
      otherGlobal('yes@example.com'),
    );
    const early = await rig.client.take();
    const port = Buffer.of(0, 0, 0x1f, 0x90);
    rig.target.send(encodeRequestSuccess(port));
    const late = await rig.client.take();
    rig.target.send(encodeRequestSuccess());
    const last = await rig.client.take();

    expect(early).toEqual([]);
    expect(late).toEqual([encodeRequestSuccess(port), encodeRequestFailure(), encodeRequestFailure()]);
    expect(last).toEqual([encodeRequestSuccess()]);
    expect(rig.log).toEqual([
      'tcpip-forward from client: success 8080',
      'yes@example.com from client: success',
    ]);
  });

  it('X2: lets an answer of its own wait for the answers before it on the channel', async () => {
    const rig = relayRig({
      gates: {
        channelRequest: (_, { detail }) =>
          detail.kind === 'env' ? { kind: 'refuse', message: 'no' } : { kind: 'pass' },
      },
    });
    await openChannel(rig);

    rig.client.send(
      requestMessage(TARGET_NUMBER, { kind: 'pty-req', term: 'xterm', columns: 80, rows: 24 }, true),
      requestMessage(TARGET_NUMBER, { kind: 'env', name: 'LANG', value: Buffer.from('C') }, true),
      requestMessage(TARGET_NUMBER, { kind: 'shell' }, true),
    );
    const early = await rig.client.take();
    rig.target.send(encodeChannelSuccess(CLIENT_NUMBER), encodeChannelSuccess(CLIENT_NUMBER));
    const late = await rig.client.take();

    expect(early).toEqual([]);
    expect(late).toEqual([
      encodeChannelSuccess(CLIENT_NUMBER),
      encodeChannelFailure(CLIENT_NUMBER),
      encodeChannelSuccess(CLIENT_NUMBER),
    ]);
  });

  it('X2: forgets unanswered requests of a channel at CLOSE and says that they stayed so', async () => {
    const rig = relayRig();
    await openChannel(rig);
    rig.client.send(requestMessage(TARGET_NUMBER, { kind: 'shell' }, true));
    await rig.target.take();

    rig.target.send(encodeClose(CLIENT_NUMBER));
    rig.client.send(encodeClose(TARGET_NUMBER));
    await rig.client.take();

    expect(rig.log).toEqual(['opened 1 session', '1 shell from client: none', 'closed 1']);
    expect(rig.relay.channels.size).toBe(0);
  });

  it.each(['target', 'client'] as const)('X2: ends for a global reply of the %s to nothing', async (side) => {
    const rig = relayRig();

    rig[side].send(encodeRequestSuccess());

    const end = await rig.relay.ended;
    expect(end.error).toMatchObject({ code: 'unexpected-reply', side });
  });

  it('X3: answers unknown messages on the leg they came from, and ignores authentication', async () => {
    const rig = relayRig();

    rig.client.send(Buffer.of(150), Buffer.of(50), Buffer.of(79), Buffer.of(83), Buffer.of(101));
    rig.target.send(Buffer.of(89), Buffer.of(53));

    expect(await rig.target.take()).toEqual([]);
    expect(await rig.client.take()).toEqual([]);
    expect(rig.clientLeg.rejected).toEqual([150, 83, 101]);
    expect(rig.targetLeg.rejected).toEqual([89]);
  });

  it.each([
    ['X3: UNIMPLEMENTED', 3],
    ['X4: PING', 192],
    ['X4: PONG', 193],
    ['X5: IGNORE', 2],
    ['X5: DEBUG', 4],
    ['X5: SERVICE_REQUEST', 5],
    ['X5: KEXINIT', 20],
    ['X5: USERAUTH_REQUEST', 50],
    ['X5: USERAUTH_BANNER', 53],
  ])('%s never crosses', async (_, message) => {
    const rig = relayRig();

    rig.client.send(Buffer.of(message, 0, 0, 0, 0));
    rig.target.send(Buffer.of(message, 0, 0, 0, 0));

    expect(await rig.target.take()).toEqual([]);
    expect(await rig.client.take()).toEqual([]);
  });

  it('X6: passes every message in the buffer it came in, for the transport to decide about its padding', async () => {
    const rig = relayRig();
    const forwarded: Buffer[] = [];
    const arrived: Buffer[] = [];
    const deliver = rig.clientLeg.onMessage;
    rig.clientLeg.onMessage = (plain, length) => {
      arrived.push(plain);
      deliver?.(plain, length);
    };
    const forward = rig.targetLeg.forward.bind(rig.targetLeg);
    rig.targetLeg.forward = (plain, length) => {
      forwarded.push(plain);
      forward(plain, length);
    };

    await openChannel(rig, { detail: direct });
    rig.client.send(encodeData(TARGET_NUMBER, Buffer.from('hello')), encodeWindowAdjust(TARGET_NUMBER, 5));
    await rig.target.take();

    expect(forwarded).toHaveLength(3);
    expect(forwarded.every((plain, at) => plain === arrived[at])).toBe(true);
  });

  it('X7: clamps packet sizes that a leg could not carry, without making the message longer', async () => {
    const rig = relayRig();
    const open = openMessage(direct, CLIENT_NUMBER, 1 << 24, 0xffff_ffff);
    rig.client.send(open);
    const opened = await rig.target.takeOne();

    rig.target.send(confirmMessage(CLIENT_NUMBER, TARGET_NUMBER, 1 << 24, 1 << 20));
    const confirmed = await rig.client.takeOne();

    expect(opened).toHaveLength(open.length);
    expect(opened).toEqual(openMessage(direct, CLIENT_NUMBER, 1 << 24, 255 * 1024));
    expect(confirmed).toEqual(confirmMessage(CLIENT_NUMBER, TARGET_NUMBER, 1 << 24, 255 * 1024));
  });

  it('X7: passes data of the largest size the ends can agree on', async () => {
    const rig = relayRig();
    rig.client.send(openMessage(direct, CLIENT_NUMBER, 1 << 24, 0xffff_ffff));
    await rig.target.take();
    rig.target.send(confirmMessage(CLIENT_NUMBER, TARGET_NUMBER, 1 << 24, 0xffff_ffff));
    await rig.client.take();
    const largest = Buffer.alloc(255 * 1024, 1);

    rig.client.send(encodeData(TARGET_NUMBER, largest));
    rig.target.send(encodeExtendedData(CLIENT_NUMBER, 1, largest));

    expect(await rig.target.takeOne()).toEqual(encodeData(TARGET_NUMBER, largest));
    expect(await rig.client.takeOne()).toEqual(encodeExtendedData(CLIENT_NUMBER, 1, largest));
  });

  it('X8: addresses channels by the numbers the ends chose, even where they cross over', async () => {
    const rig = relayRig();
    await openChannel(rig, { client: 1, target: 2 });
    await openChannel(rig, { client: 2, target: 1 });

    rig.client.send(encodeData(1, Buffer.from('second')), encodeData(2, Buffer.from('first')));
    rig.target.send(encodeData(1, Buffer.from('FIRST')), encodeData(2, Buffer.from('SECOND')));
    await quiet();

    expect(rig.log.slice(2).sort()).toEqual([
      '1 client data first',
      '1 target data FIRST',
      '2 client data second',
      '2 target data SECOND',
    ]);
  });

  it('X8: makes no entry for a refused open, whoever refuses it', async () => {
    const rig = relayRig({
      gates: {
        channelOpen: (open) => (open.detail.kind === 'session' ? { kind: 'pass' } : { kind: 'drop' }),
      },
    });

    rig.client.send(openMessage(direct, CLIENT_NUMBER));
    const ours = await rig.client.takeOne();
    rig.client.send(openMessage({ kind: 'session' }, CLIENT_NUMBER));
    await rig.target.take();
    rig.target.send(encodeOpenFailure(CLIENT_NUMBER, 2, 'no'));
    const theirs = await rig.client.takeOne();

    expect(ours).toEqual(encodeOpenFailure(CLIENT_NUMBER, 1, 'not allowed'));
    expect(theirs).toEqual(encodeOpenFailure(CLIENT_NUMBER, 2, 'no'));
    expect(rig.log).toEqual(['refused session 2 no']);
    expect(rig.relay.channels.size).toBe(0);
    await openChannel(rig);
  });

  it('X8: lets numbers be used again after both CLOSEs', async () => {
    const rig = relayRig();
    await openChannel(rig);
    rig.client.send(encodeEof(TARGET_NUMBER), encodeClose(TARGET_NUMBER));
    rig.target.send(encodeData(CLIENT_NUMBER, Buffer.from('late')), encodeClose(CLIENT_NUMBER));
    await rig.client.take();
    await rig.target.take();

    await openChannel(rig);

    expect([...rig.relay.channels.keys()]).toEqual([2]);
    expect(rig.log).toEqual([
      'opened 1 session',
      '1 eof client',
      '1 target data late',
      'closed 1',
      'opened 2 session',
    ]);
  });

  it('passes keepalives of either end to the other, and their answers back', async () => {
    const rig = relayRig();

    rig.client.send(globalMessage({ kind: 'keepalive' }));
    rig.target.send(globalMessage({ kind: 'keepalive' }));
    const atTarget = await rig.target.takeOne();
    const atClient = await rig.client.takeOne();
    rig.target.send(encodeRequestFailure());
    rig.client.send(encodeRequestFailure());

    expect(atTarget).toEqual(globalMessage({ kind: 'keepalive' }));
    expect(atClient).toEqual(globalMessage({ kind: 'keepalive' }));
    expect(await rig.client.takeOne()).toEqual(encodeRequestFailure());
    expect(await rig.target.takeOne()).toEqual(encodeRequestFailure());
  });

  it('tells the taps of an exit status, which wants no answer', async () => {
    const rig = relayRig();
    await openChannel(rig);

    rig.target.send(requestMessage(CLIENT_NUMBER, { kind: 'exit-status', status: 3 }, false));

    expect(await rig.client.takeOne()).toEqual(
      requestMessage(CLIENT_NUMBER, { kind: 'exit-status', status: 3 }, false),
    );
    expect(rig.log).toEqual(['opened 1 session', '1 exit-status from target: none']);
  });

  it('counts data and extended data by the side that sent it', async () => {
    const rig = relayRig();
    await openChannel(rig);
    const channel = rig.relay.channels.get(1);

    rig.client.send(encodeData(TARGET_NUMBER, Buffer.alloc(7)));
    rig.target.send(
      encodeData(CLIENT_NUMBER, Buffer.alloc(10)),
      encodeExtendedData(CLIENT_NUMBER, 1, Buffer.alloc(5)),
    );
    await quiet();

    expect(channel?.bytesFrom).toEqual({ client: 7, target: 15 });
    expect(rig.log.filter((line) => line.includes('stderr'))).toHaveLength(1);
  });
});
