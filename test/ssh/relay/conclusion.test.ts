import { describe, expect, it } from 'vitest';
import {
  encodeChannelFailure,
  encodeChannelSuccess,
  encodeClose,
  encodeData,
  encodeEof,
  encodeExtendedData,
  encodeWindowAdjust,
} from '../../../ssh/connection/index.ts';
import {
  CLIENT_NUMBER,
  confirmMessage,
  openChannel,
  openMessage,
  quiet,
  type Rig,
  relayRig,
  requestMessage,
  TARGET_NUMBER,
} from './relay-rig.ts';

const session = { kind: 'session' } as const;
const exec = requestMessage(TARGET_NUMBER, { kind: 'exec', command: Buffer.from('rm -rf /') }, true);
const pty = requestMessage(TARGET_NUMBER, { kind: 'pty-req', term: 'xterm', columns: 80, rows: 24 }, true);
const exitStatus = requestMessage(CLIENT_NUMBER, { kind: 'exit-status', status: 126 }, false);
const reason = encodeExtendedData(CLIENT_NUMBER, 1, Buffer.from('not allowed\r\n'));
const program = [encodeChannelSuccess(CLIENT_NUMBER), reason, exitStatus, encodeEof(CLIENT_NUMBER)];

describe('a program refused with an exit status', () => {
  it('starts, says why on its standard error, and exits, without the target knowing what it would have been', async () => {
    const rig = refusingRig();
    await openChannel(rig);

    rig.client.send(exec);
    const atClient = await rig.client.take();
    const atTarget = await rig.target.take();
    rig.target.send(encodeClose(CLIENT_NUMBER));
    const closing = await rig.client.take();
    rig.client.send(encodeClose(TARGET_NUMBER));

    expect(atClient).toEqual(program);
    expect(atTarget).toEqual([encodeClose(TARGET_NUMBER)]);
    expect(closing).toEqual([encodeClose(CLIENT_NUMBER)]);
    expect(await rig.target.take()).toEqual([]);
    expect(rig.log).toEqual(['opened 1 session', 'closed 1']);
    expect(rig.relay.channels.size).toBe(0);
  });

  it('controls no terminal by the words of its refusal', async () => {
    const rig = refusingRig('no\x1b[2J\r\nroot@host:~#');
    await openChannel(rig);

    rig.client.send(exec);

    const [, said] = await rig.client.take();
    expect(said).toEqual(encodeExtendedData(CLIENT_NUMBER, 1, Buffer.from('no [2J  root@host:~#\r\n')));
  });

  it('waits for the answers before it', async () => {
    const rig = refusingRig();
    await openChannel(rig);

    rig.client.send(pty, exec);
    const early = await rig.client.take();
    rig.target.send(encodeChannelSuccess(CLIENT_NUMBER), encodeClose(CLIENT_NUMBER));

    expect(early).toEqual([]);
    expect(await rig.client.take()).toEqual([
      encodeChannelSuccess(CLIENT_NUMBER),
      ...program,
      encodeClose(CLIENT_NUMBER),
    ]);
  });

  it('has failure stand for the answers a target left out', async () => {
    const rig = refusingRig();
    await openChannel(rig);

    rig.client.send(pty, exec);
    await rig.target.take();
    rig.target.send(encodeClose(CLIENT_NUMBER));

    expect(await rig.client.take()).toEqual([
      encodeChannelFailure(CLIENT_NUMBER),
      ...program,
      encodeClose(CLIENT_NUMBER),
    ]);
    expect(rig.log).toEqual(['opened 1 session', '1 pty-req from client: none']);
  });

  it('lets nothing pass that was under way in either direction', async () => {
    const rig = refusingRig();
    await openChannel(rig);

    rig.client.send(
      exec,
      encodeData(TARGET_NUMBER, Buffer.from('y')),
      encodeWindowAdjust(TARGET_NUMBER, 5),
      requestMessage(TARGET_NUMBER, { kind: 'env', name: 'A', value: Buffer.alloc(0) }, false),
      encodeEof(TARGET_NUMBER),
      encodeClose(TARGET_NUMBER),
    );
    rig.target.send(
      encodeData(CLIENT_NUMBER, Buffer.from('motd')),
      encodeWindowAdjust(CLIENT_NUMBER, 5),
      encodeEof(CLIENT_NUMBER),
      encodeClose(CLIENT_NUMBER),
    );
    await quiet();

    expect(await rig.target.take()).toEqual([encodeClose(TARGET_NUMBER)]);
    expect((await rig.client.take()).filter((message) => message[0] === 97)).toHaveLength(1);
    expect(rig.relay.channels.size).toBe(0);
  });

  it('frees its number on the client’s side when the client has been told of both CLOSEs', async () => {
    const rig = refusingRig();
    await openChannel(rig);
    rig.client.send(exec, encodeClose(TARGET_NUMBER));
    await rig.client.take();
    await rig.target.take();

    rig.target.send(encodeClose(CLIENT_NUMBER));
    await rig.client.take();
    await openChannel(rig);

    expect(rig.relay.channels.size).toBe(1);
  });

  it('lets the target use its number again at once, and holds what comes for the client to know of it', async () => {
    const rig = refusingRig();
    await openChannel(rig);
    rig.client.send(exec, openMessage(session, 11));
    await rig.target.take();

    rig.target.send(
      encodeClose(CLIENT_NUMBER),
      confirmMessage(11, TARGET_NUMBER),
      encodeData(11, Buffer.from('motd')),
    );
    const early = await rig.client.take();
    rig.client.send(encodeData(TARGET_NUMBER, Buffer.from('for the old')), encodeClose(TARGET_NUMBER));
    const late = await rig.client.take();
    rig.client.send(encodeData(TARGET_NUMBER, Buffer.from('for the new')));

    expect(early).toEqual([...program, encodeClose(CLIENT_NUMBER)]);
    expect(late).toEqual([confirmMessage(11, TARGET_NUMBER), encodeData(11, Buffer.from('motd'))]);
    expect(await rig.target.take()).toEqual([encodeData(TARGET_NUMBER, Buffer.from('for the new'))]);
  });

  it('ends the connection of a target that uses the number before it closed', async () => {
    const rig = refusingRig();
    await openChannel(rig);
    rig.client.send(exec, openMessage(session, 11));
    await rig.target.take();

    rig.target.send(confirmMessage(11, TARGET_NUMBER));

    expect((await rig.relay.ended).error).toMatchObject({ code: 'channel-number-in-use', side: 'target' });
  });

  it('fails plainly where the target had ended its output before', async () => {
    const rig = refusingRig();
    await openChannel(rig);
    rig.target.send(encodeEof(CLIENT_NUMBER));
    await rig.client.take();

    rig.client.send(exec);

    expect(await rig.client.take()).toEqual([encodeChannelFailure(CLIENT_NUMBER)]);
    expect(await rig.target.take()).toEqual([]);
  });

  it('takes its words from the reserve, and goes without them where it has none', async () => {
    const rig = relayRig({ gates: refusal('not allowed'), limits: { noticeReserveBytes: 0 } });
    await openChannel(rig);

    rig.client.send(exec);

    expect(await rig.client.take()).toEqual(program.filter((message) => message !== reason));
  });

  it('gets no notices', async () => {
    const rig = refusingRig();
    await openChannel(rig);
    rig.client.send(pty);
    await rig.target.take();
    rig.target.send(encodeChannelSuccess(CLIENT_NUMBER));
    rig.client.send(requestMessage(TARGET_NUMBER, { kind: 'shell' }, false));
    await quiet();
    rig.client.send(exec);
    await rig.client.take();

    expect(rig.relay.notice('hello')).toBe(0);
  });
});

function refusingRig(message = 'not allowed'): Rig {
  return relayRig({ gates: refusal(message) });
}

function refusal(message: string): NonNullable<Parameters<typeof relayRig>[0]>['gates'] & object {
  return {
    channelRequest: (_, { detail }) =>
      detail.kind === 'exec' ? { kind: 'refuse', message, exitStatus: 126 } : { kind: 'pass' },
  };
}
