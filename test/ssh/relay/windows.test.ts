import { describe, expect, it } from 'vitest';
import {
  decodeChannelOpen,
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
  openShell,
  PACKET,
  quiet,
  type Rig,
  relayRig,
  requestMessage,
  TARGET_NUMBER,
  WINDOW,
} from './relay-rig.ts';

const direct = {
  kind: 'direct-tcpip',
  host: 'db.example.com',
  port: 5432,
  originHost: '',
  originPort: 0,
} as const;
const RESERVE = 4096;

describe('windows (W)', () => {
  it('W1: credits dropped data to its sender, so that it never stalls', async () => {
    let dropped = 0;
    const rig = relayRig({
      gates: {
        channelData: (_, __, ___, data) => {
          dropped += data.length;
          return 'drop';
        },
      },
    });
    await openChannel(rig, { detail: direct, targetWindow: 10_000 });

    let window = 10_000;
    let sent = 0;
    while (sent < 1_000_000) {
      const size = Math.min(window, 4_000);
      if (size === 0) throw new Error(`stalled after ${sent} bytes`);
      rig.client.send(encodeData(TARGET_NUMBER, Buffer.alloc(size)));
      sent += size;
      window -= size;
      if (window < 4_000) for (const adjust of await rig.client.take()) window += adjust.readUInt32BE(5);
    }

    expect(dropped).toBe(sent);
    expect(await rig.target.take()).toEqual([]);
    expect(rig.log).toEqual(['opened 1 direct-tcpip']);
  });

  it('W1: credits what was dropped although the window was then used up by data that passed', async () => {
    const rig = relayRig({ gates: { channelData: (_, __, ___, data) => (data[0] === 1 ? 'drop' : 'pass') } });
    await openChannel(rig, { detail: direct, targetWindow: 1000 });

    rig.client.send(
      encodeData(TARGET_NUMBER, Buffer.alloc(400, 1)),
      encodeData(TARGET_NUMBER, Buffer.alloc(600, 2)),
    );

    expect(await rig.client.take()).toEqual([encodeWindowAdjust(CLIENT_NUMBER, 400)]);
  });

  it('W1: credits nothing to a sender whose channel the other end has closed', async () => {
    const rig = relayRig({ gates: { channelData: () => 'drop' } });
    await openChannel(rig, { detail: direct });
    rig.target.send(encodeClose(CLIENT_NUMBER));
    await rig.client.take();

    rig.client.send(
      encodeData(TARGET_NUMBER, Buffer.alloc(PACKET)),
      encodeData(TARGET_NUMBER, Buffer.alloc(PACKET)),
    );

    expect(await rig.client.take()).toEqual([]);
  });

  it('W2: lets both ends use every byte they were granted, with notices in between', async () => {
    const rig = relayRig();
    await openShell(rig);

    const taken = rig.relay.notice('the session ends in five minutes');
    sendTarget(rig, WINDOW - RESERVE);
    const received = await rig.client.take();

    expect(taken).toBe(1);
    expect(dataBytes(received)).toBe(WINDOW - RESERVE + '\r\nthe session ends in five minutes\r\n'.length);
    expect(rig.relay.channels.size).toBe(1);
  });

  it('W3: holds back the reserve from the window a client announces for a session', async () => {
    const rig = relayRig();

    rig.client.send(openMessage({ kind: 'session' }));
    const session = decodeChannelOpen(await rig.target.takeOne(), 'client');
    rig.client.send(openMessage(direct, 11));
    const other = decodeChannelOpen(await rig.target.takeOne(), 'client');

    expect(session.initialWindow).toBe(WINDOW - RESERVE);
    expect(other.initialWindow).toBe(WINDOW);
  });

  it('W3: holds back at most an eighth of a small window', async () => {
    const rig = relayRig();

    rig.client.send(openMessage({ kind: 'session' }, CLIENT_NUMBER, 1000));

    expect(decodeChannelOpen(await rig.target.takeOne(), 'client').initialWindow).toBe(875);
  });

  it('W3: writes no more notices than the reserve holds, and again once the client has granted it anew', async () => {
    const rig = relayRig();
    await openShell(rig);
    const text = 'x'.repeat(1000);

    const first = Array.from({ length: 6 }, () => rig.relay.notice(text));
    const sent = dataBytes(await rig.client.take());
    rig.client.send(encodeWindowAdjust(TARGET_NUMBER, sent - 500));
    const swallowed = await rig.target.take();
    rig.client.send(encodeWindowAdjust(TARGET_NUMBER, 800));
    const passed = await rig.target.take();

    expect(first).toEqual([1, 1, 1, 1, 0, 0]);
    expect(sent).toBe(4 * 1004);
    expect(swallowed).toEqual([]);
    expect(passed).toEqual([encodeWindowAdjust(TARGET_NUMBER, 300)]);
    expect(rig.relay.notice(text)).toBe(1);
  });

  it('W3: passes adjusts of zero, and all of them where nothing is owed', async () => {
    const rig = relayRig();
    await openShell(rig);

    rig.client.send(encodeWindowAdjust(TARGET_NUMBER, 0), encodeWindowAdjust(TARGET_NUMBER, 7));

    expect(await rig.target.take()).toEqual([
      encodeWindowAdjust(TARGET_NUMBER, 0),
      encodeWindowAdjust(TARGET_NUMBER, 7),
    ]);
  });

  it.each(['client', 'target'] as const)(
    'W4: ends the connection when the %s overruns its window',
    async (side) => {
      const rig = relayRig();
      await openChannel(rig, { detail: direct, clientWindow: 100, targetWindow: 100 });
      const number = side === 'client' ? TARGET_NUMBER : CLIENT_NUMBER;

      rig[side].send(encodeData(number, Buffer.alloc(60)), encodeExtendedData(number, 1, Buffer.alloc(41)));

      const end = await rig.relay.ended;
      expect(end).toMatchObject({ by: 'fault', code: 2, error: { code: 'window-exceeded', side } });
      expect(end.description).toBe(`the ${side} sent 41 bytes of data into a window of 40`);
      expect(await rig[side].transport.ended).toMatchObject({ kind: 'disconnect', code: 2 });
    },
  );

  it('W4: counts the reserve as not granted', async () => {
    const rig = relayRig();
    await openShell(rig);

    sendTarget(rig, WINDOW - RESERVE + 1);

    expect((await rig.relay.ended).error).toMatchObject({ code: 'window-exceeded', side: 'target' });
  });

  it.each(['client', 'target'] as const)(
    'W4: ends the connection when the %s sends too large a packet',
    async (side) => {
      const rig = relayRig();
      await openChannel(rig, { detail: direct });

      rig[side].send(encodeData(side === 'client' ? TARGET_NUMBER : CLIENT_NUMBER, Buffer.alloc(PACKET + 1)));

      expect((await rig.relay.ended).error).toMatchObject({ code: 'packet-too-large', side });
    },
  );

  it.each(['client', 'target'] as const)(
    'W4: ends the connection when the %s adjusts past 2^32-1',
    async (side) => {
      const rig = relayRig();
      await openChannel(rig, { detail: direct });
      const number = side === 'client' ? TARGET_NUMBER : CLIENT_NUMBER;

      rig[side].send(encodeWindowAdjust(number, 0xffff_ffff - WINDOW));
      await quiet();
      const atTheLimit = rig.relay.channels.size;
      rig[side].send(encodeWindowAdjust(number, 1));

      expect(atTheLimit).toBe(1);
      expect((await rig.relay.ended).error).toMatchObject({ code: 'window-overflow', side });
    },
  );

  it('W4: counts what was delivered against the receiver’s window, dropped and injected bytes as it does', async () => {
    const rig = relayRig();
    await openShell(rig);
    rig.target.send(encodeData(CLIENT_NUMBER, Buffer.alloc(1000)));
    rig.relay.notice('0123456789');
    await rig.client.take();

    rig.client.send(encodeWindowAdjust(TARGET_NUMBER, 0xffff_ffff - WINDOW + 1014));

    expect(await rig.target.takeOne()).toEqual(
      encodeWindowAdjust(TARGET_NUMBER, 0xffff_ffff - WINDOW + 1000),
    );
    expect(rig.relay.channels.size).toBe(1);
  });

  it('W5: keeps no more than the window for a client that stopped reading, and other channels go on', async () => {
    const rig = relayRig();
    await openChannel(rig, { detail: direct });
    await openChannel(rig, { detail: direct, client: 11, target: 78 });

    rig.client.transport.setReadPaused(true);
    for (let sent = 0; sent + PACKET <= WINDOW; sent += PACKET)
      rig.target.send(encodeData(CLIENT_NUMBER, Buffer.alloc(PACKET)));
    rig.target.send(encodeData(11, Buffer.from('small')));
    await quiet();
    const backlog = rig.clientLeg.backlogBytes;
    rig.client.transport.setReadPaused(false);
    const received = await rig.client.take();

    expect(backlog).toBeLessThan(WINDOW + 100);
    expect(received.at(-1)).toEqual(encodeData(11, Buffer.from('small')));
  });

  it('W5: stops reading a source whose sink has a backlog, and goes on when it is gone', async () => {
    const rig = relayRig({ backlogHighBytes: 50_000 });
    await openChannel(rig, { detail: direct, clientWindow: 10_000_000 });
    const packets = 100;

    rig.client.transport.setReadPaused(true);
    for (let count = 0; count < packets; count += 1)
      rig.target.send(encodeData(CLIENT_NUMBER, Buffer.alloc(PACKET)));
    await quiet();
    const backlog = rig.clientLeg.backlogBytes;
    rig.client.transport.setReadPaused(false);
    await quiet(100);

    expect(backlog).toBeLessThan(50_000 + 2 * PACKET);
    expect(dataBytes(await rig.client.take())).toBe(packets * PACKET);
  });
});

describe('notices', () => {
  it('are a line of their own, in which nothing controls the terminal', async () => {
    const rig = relayRig();
    await openShell(rig);

    rig.relay.notice('\x1b]0;owned\x07 see\r\nyou\u009b2J\u202e soon \u00e9');

    expect(await rig.client.takeOne()).toEqual(
      encodeData(CLIENT_NUMBER, Buffer.from('\r\n ]0;owned  see  you 2J  soon \u00e9\r\n')),
    );
  });

  it('are cut at a character to what the reserve can hold', async () => {
    const rig = relayRig({ limits: { noticeReserveBytes: 11 } });
    await openShell(rig);

    rig.relay.notice('ab\u00e9\u20ac\u20ac');

    expect(await rig.client.takeOne()).toEqual(
      encodeData(CLIENT_NUMBER, Buffer.from('\r\nab\u00e9\u20ac\r\n')),
    );
  });

  it('are off with a reserve of 0', async () => {
    const rig = relayRig({ limits: { noticeReserveBytes: 0 } });
    await openShell(rig);

    expect(rig.relay.notice('hello')).toBe(0);
    expect(await rig.client.take()).toEqual([]);
  });

  it('go only where a terminal was granted and a program runs on it', async () => {
    const rig = relayRig();
    await openShell(rig);
    await openChannel(rig, { client: 11, target: 78 });
    await openChannel(rig, { client: 12, target: 79, detail: direct });
    await openChannel(rig, { client: 13, target: 80 });
    rig.client.send(requestMessage(80, { kind: 'pty-req', term: 'xterm', columns: 80, rows: 24 }, true));
    await rig.target.take();
    rig.target.send(encodeChannelSuccess(13));
    await rig.client.take();

    expect(rig.relay.notice('hello')).toBe(1);
    expect(await rig.client.takeOne()).toEqual(encodeData(CLIENT_NUMBER, Buffer.from('\r\nhello\r\n')));
  });

  it('do not go behind the end of the program’s output', async () => {
    const rig = relayRig();
    await openShell(rig);
    rig.target.send(encodeEof(CLIENT_NUMBER));
    await rig.client.take();

    expect(rig.relay.notice('hello')).toBe(0);
  });

  it('do not go to a client whose packets are too small for them', async () => {
    const rig = relayRig();
    rig.client.send(openMessage({ kind: 'session' }, CLIENT_NUMBER, WINDOW, 4));
    await rig.target.take();
    rig.target.send(confirmMessage());
    rig.client.send(
      requestMessage(TARGET_NUMBER, { kind: 'pty-req', term: 'xterm', columns: 80, rows: 24 }, false),
    );
    await quiet();
    rig.client.send(requestMessage(TARGET_NUMBER, { kind: 'shell' }, false));
    await quiet();

    expect(rig.relay.notice('hello')).toBe(0);
  });
});

function sendTarget(rig: Rig, bytes: number): void {
  for (let left = bytes; left > 0; left -= PACKET)
    rig.target.send(encodeData(CLIENT_NUMBER, Buffer.alloc(Math.min(left, PACKET))));
}

function dataBytes(messages: readonly Buffer[]): number {
  return messages
    .filter((message) => message[0] === 94)
    .reduce((sum, message) => sum + message.length - 9, 0);
}
