import { describe, expect, it } from 'vitest';
import {
  type ChannelOpenDetail,
  type ChannelRequestDetail,
  type EncodableChannelRequest,
  encodeChannelFailure,
  encodeChannelRequest,
  encodeOpenFailure,
  encodeRequestFailure,
  encodeRequestSuccess,
} from '../../../ssh/connection/index.ts';
import {
  CLIENT_NUMBER,
  globalMessage,
  openChannel,
  openMessage,
  type Rig,
  relayRig,
  requestMessage,
  TARGET_NUMBER,
} from './relay-rig.ts';

const origin = { originHost: '192.0.2.7', originPort: 40_000 } as const;
const forwarded = (host: string, port: number): ChannelOpenDetail => ({
  kind: 'forwarded-tcpip',
  host,
  port,
  ...origin,
});

describe('a hostile target', () => {
  it.each<ChannelOpenDetail>([
    { kind: 'session' },
    { kind: 'direct-tcpip', host: 'intranet.example.com', port: 80, ...origin },
    { kind: 'direct-streamlocal', path: '/run/docker.sock' },
    { kind: 'forwarded-tcpip', host: '', port: 22, ...origin },
    { kind: 'forwarded-streamlocal', path: '/run/agent' },
    { kind: 'auth-agent' },
    { kind: 'x11', ...origin },
    { kind: 'unknown', data: Buffer.from('tun') },
  ])('cannot open a channel of kind $kind that nobody asked for', async (detail) => {
    let asked = 0;
    const rig = relayRig({
      gates: {
        channelOpen: () => {
          asked += 1;
          return { kind: 'pass' };
        },
      },
    });

    rig.target.send(openMessage(detail, 5));

    const answer = await rig.target.takeOne();
    expect(answer.subarray(0, 5)).toEqual(Buffer.of(92, 0, 0, 0, 5));
    expect(await rig.client.take()).toEqual([]);
    expect(asked).toBe(0);
    expect(rig.log).toEqual([]);
  });

  it('cannot use a forward that was asked for and not granted', async () => {
    const rig = relayRig();
    rig.client.send(globalMessage({ kind: 'tcpip-forward', host: '', port: 8080 }));
    await rig.target.take();

    const before = await opens(rig, forwarded('', 8080));
    rig.target.send(encodeRequestFailure());
    await rig.client.take();
    const after = await opens(rig, forwarded('', 8080));

    expect([before, after]).toEqual([false, false]);
  });

  it('cannot use a forward the gate refused', async () => {
    const rig = relayRig({ gates: { globalRequest: () => ({ kind: 'refuse', message: 'no' }) } });
    rig.client.send(globalMessage({ kind: 'tcpip-forward', host: '', port: 8080 }));

    expect(await rig.client.takeOne()).toEqual(encodeRequestFailure());
    expect(await opens(rig, forwarded('', 8080))).toBe(false);
  });

  it('can use a granted forward of the same port and address alone, until it is taken back', async () => {
    const rig = relayRig();
    await forward(rig, '127.0.0.1', 8080);

    expect(await opens(rig, forwarded('127.0.0.1', 8080))).toBe(true);
    expect(await opens(rig, forwarded('127.0.0.1', 8081))).toBe(false);
    expect(await opens(rig, forwarded('127.0.0.2', 8080))).toBe(false);
    rig.client.send(globalMessage({ kind: 'cancel-tcpip-forward', host: '127.0.0.1', port: 8080 }));
    await rig.target.take();
    rig.target.send(encodeRequestSuccess());
    await rig.client.take();
    expect(await opens(rig, forwarded('127.0.0.1', 8080))).toBe(false);
  });

  it.each(['', '*', '0.0.0.0', '::', 'localhost', 'gateway.example.com'])(
    'may report the address that was connected where "%s" was asked for',
    async (host) => {
      const rig = relayRig();
      await forward(rig, host, 8080);

      expect(await opens(rig, forwarded('198.51.100.3', 8080))).toBe(true);
      expect(await opens(rig, forwarded('198.51.100.3', 8081))).toBe(false);
    },
  );

  it('can use the port it chose where the client left it the choice', async () => {
    const rig = relayRig();
    await forward(rig, '', 0, encodeRequestSuccess(Buffer.of(0, 0, 0x9c, 0x40)));

    expect(await opens(rig, forwarded('', 0x9c40))).toBe(true);
    expect(await opens(rig, forwarded('', 0))).toBe(false);
  });

  it('ends the connection by granting port 0 without saying which port', async () => {
    const rig = relayRig();
    rig.client.send(globalMessage({ kind: 'tcpip-forward', host: '', port: 0 }));
    await rig.target.take();

    rig.target.send(encodeRequestSuccess());

    expect((await rig.relay.ended).error).toMatchObject({ code: 'malformed', side: 'target' });
  });

  it('can use a granted socket forward until it is taken back', async () => {
    const rig = relayRig();
    const path = '/tmp/x.sock';
    rig.client.send(globalMessage({ kind: 'streamlocal-forward', path }, false));
    await rig.target.take();

    expect(await opens(rig, { kind: 'forwarded-streamlocal', path })).toBe(true);
    expect(await opens(rig, { kind: 'forwarded-streamlocal', path: '/tmp/y.sock' })).toBe(false);
    rig.client.send(globalMessage({ kind: 'cancel-streamlocal-forward', path }, false));
    await rig.target.take();
    expect(await opens(rig, { kind: 'forwarded-streamlocal', path })).toBe(false);
  });

  it('can open agent and X11 channels once the client asked for them on a session, through the gate', async () => {
    const asked: string[] = [];
    const rig = relayRig({
      gates: {
        channelOpen: (open) => {
          asked.push(`${open.from} ${open.detail.kind}`);
          return { kind: 'pass' };
        },
      },
    });
    await openChannel(rig);
    rig.client.send(requestMessage(TARGET_NUMBER, { kind: 'auth-agent-req' }, false));
    await rig.target.take();

    expect(await opens(rig, { kind: 'auth-agent' })).toBe(true);
    expect(await opens(rig, { kind: 'x11', ...origin })).toBe(false);
    rig.client.send(x11Request());
    await rig.target.take();
    expect(await opens(rig, { kind: 'x11', ...origin })).toBe(true);
    expect(asked).toEqual(['client session', 'target auth-agent', 'target x11']);
  });

  it('cannot open agent channels because a request for them was refused', async () => {
    const rig = relayRig({ gates: { channelRequest: () => ({ kind: 'drop' }) } });
    await openChannel(rig);
    rig.client.send(requestMessage(TARGET_NUMBER, { kind: 'auth-agent-req' }, true));

    expect(await rig.client.takeOne()).toEqual(encodeChannelFailure(CLIENT_NUMBER));
    expect(await opens(rig, { kind: 'auth-agent' })).toBe(false);
  });

  it.each<EncodableChannelRequest['detail']>([
    { kind: 'exec', command: Buffer.from('id') },
    { kind: 'shell' },
    { kind: 'subsystem', name: 'sftp' },
    { kind: 'pty-req', term: 'xterm', columns: 80, rows: 24 },
    { kind: 'auth-agent-req' },
    { kind: 'signal', signal: 'KILL' },
  ])('cannot make evidence by asking the client for $kind', async (detail) => {
    const asked: ChannelRequestDetail[] = [];
    const rig = relayRig({
      gates: {
        channelRequest: (_, request) => {
          asked.push(request.detail);
          return { kind: 'pass' };
        },
      },
    });
    await openChannel(rig);

    rig.target.send(requestMessage(CLIENT_NUMBER, detail, true));

    expect(await rig.target.takeOne()).toEqual(encodeChannelFailure(TARGET_NUMBER));
    expect(await rig.client.take()).toEqual([]);
    expect(asked).toEqual([]);
  });

  it('cannot ask the client to listen, nor end its sessions', async () => {
    const rig = relayRig();

    rig.target.send(
      globalMessage({ kind: 'tcpip-forward', host: '', port: 80 }),
      globalMessage({ kind: 'streamlocal-forward', path: '/x' }),
      globalMessage({ kind: 'no-more-sessions' }, false),
    );

    expect(await rig.target.take()).toEqual([encodeRequestFailure(), encodeRequestFailure()]);
    expect(await rig.client.take()).toEqual([]);
    await openChannel(rig);
  });
});

describe('a hostile client', () => {
  it.each<ChannelOpenDetail>([
    { kind: 'forwarded-tcpip', host: '', port: 22, ...origin },
    { kind: 'forwarded-streamlocal', path: '/x' },
    { kind: 'auth-agent' },
    { kind: 'x11', ...origin },
  ])('cannot open a channel of kind $kind, which only servers open', async (detail) => {
    const rig = relayRig();

    rig.client.send(openMessage(detail));

    expect(await rig.client.takeOne()).toEqual(encodeOpenFailure(CLIENT_NUMBER, 3, 'unknown channel type'));
    expect(await rig.target.take()).toEqual([]);
  });

  it('cannot open a session after it said that no more would come', async () => {
    const rig = relayRig();
    await openChannel(rig);
    rig.client.send(globalMessage({ kind: 'no-more-sessions' }, false));
    const passed = await rig.target.takeOne();

    rig.client.send(openMessage({ kind: 'session' }, 11));

    expect(passed).toEqual(globalMessage({ kind: 'no-more-sessions' }, false));
    expect(await rig.client.takeOne()).toEqual(encodeOpenFailure(11, 1, 'no more sessions may be opened'));
    expect(await rig.target.take()).toEqual([]);
  });

  it('cannot forge an exit status, nor start a program on a channel that is no session', async () => {
    const rig = relayRig({
      gates: {
        channelRequest: () => {
          throw new Error('must not be asked');
        },
      },
    });
    await openChannel(rig);
    await openChannel(rig, { client: 11, target: 78, detail: { kind: 'direct-streamlocal', path: '/x' } });

    rig.client.send(
      requestMessage(TARGET_NUMBER, { kind: 'exit-status', status: 0 }, false),
      requestMessage(78, { kind: 'exec', command: Buffer.from('id') }, true),
    );

    expect(await rig.client.takeOne()).toEqual(encodeChannelFailure(11));
    expect(await rig.target.take()).toEqual([]);
  });

  it('does not use up its forwards by asking for the same one again', async () => {
    const rig = relayRig({ limits: { maxForwards: 2 } });
    await forward(rig, '', 8080);
    await forward(rig, '', 8080);
    const path = '/tmp/x.sock';
    rig.client.send(globalMessage({ kind: 'streamlocal-forward', path }, false));
    rig.client.send(globalMessage({ kind: 'streamlocal-forward', path }, false));
    const passed = await rig.target.take();

    rig.client.send(globalMessage({ kind: 'streamlocal-forward', path: '/tmp/y.sock' }));

    expect(passed).toHaveLength(1);
    expect(await rig.client.takeOne()).toEqual(encodeRequestFailure());
    expect(await opens(rig, { kind: 'forwarded-streamlocal', path })).toBe(true);
  });

  it('gets no more forwards by asking for all of them in one breath, and those that fail cost none', async () => {
    const limits: string[] = [];
    const rig = relayRig({
      limits: { maxForwards: 2 },
      taps: { limitReached: (limit) => limits.push(limit) },
    });
    const ask = (port: number) => globalMessage({ kind: 'tcpip-forward', host: '', port });
    rig.client.send(...[8080, 8081, 8082, 8083].map(ask));
    const passed = await rig.target.take();

    rig.target.send(encodeRequestFailure(), encodeRequestSuccess());
    const answers = await rig.client.take();
    rig.client.send(ask(8084), ask(8085));

    expect(passed).toHaveLength(2);
    expect(answers).toEqual([
      encodeRequestFailure(),
      encodeRequestSuccess(),
      encodeRequestFailure(),
      encodeRequestFailure(),
    ]);
    expect(await rig.target.take()).toHaveLength(1);
    expect(limits).toEqual(['forwards', 'forwards', 'forwards']);
  });

  it('is refused more forwards than the limit, and may have others for those it takes back', async () => {
    const rig = relayRig({ limits: { maxForwards: 2 } });
    await forward(rig, '', 8080);
    await forward(rig, '', 8081);

    rig.client.send(globalMessage({ kind: 'tcpip-forward', host: '', port: 8082 }));
    const refused = await rig.client.takeOne();
    rig.client.send(globalMessage({ kind: 'cancel-tcpip-forward', host: '', port: 8080 }));
    await rig.target.take();
    rig.target.send(encodeRequestSuccess());
    await rig.client.take();
    await forward(rig, '', 8082);

    expect(refused).toEqual(encodeRequestFailure());
    expect(await opens(rig, forwarded('', 8082))).toBe(true);
    expect(await opens(rig, forwarded('', 8080))).toBe(false);
  });
});

async function forward(rig: Rig, host: string, port: number, answer = encodeRequestSuccess()): Promise<void> {
  rig.client.send(globalMessage({ kind: 'tcpip-forward', host, port }));
  await rig.target.takeOne();
  rig.target.send(answer);
  await rig.client.takeOne();
}

let nextNumber = 1000;

/** Whether an open from the target reaches the client. */
async function opens(rig: Rig, detail: ChannelOpenDetail): Promise<boolean> {
  nextNumber += 1;
  const open = openMessage(detail, nextNumber);
  rig.target.send(open);
  const [atClient] = await rig.client.take();
  if (atClient === undefined) {
    const answer = await rig.target.takeOne();
    if (answer[0] !== 92) throw new Error(`the open was answered with message ${answer[0]}`);
    return false;
  }
  expect(atClient).toEqual(open);
  return true;
}

function x11Request(): Buffer {
  const data = Buffer.concat([
    Buffer.of(0),
    Buffer.of(0, 0, 0, 1, 0x61),
    Buffer.of(0, 0, 0, 1, 0x62),
    Buffer.alloc(4),
  ]);
  return encodeChannelRequest(TARGET_NUMBER, {
    type: 'x11-req',
    wantReply: false,
    detail: { kind: 'other', data },
  });
}
