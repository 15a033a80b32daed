import { describe, expect, it } from 'vitest';
import { encodeClose, encodeData, encodeEof, encodeWindowAdjust } from '../../../ssh/connection/index.ts';
import type { DataVerdict } from '../../../ssh/relay/index.ts';
import {
  CLIENT_NUMBER,
  confirmMessage,
  openChannel,
  openMessage,
  PACKET,
  type Rig,
  relayRig,
  TARGET_NUMBER,
  WINDOW,
} from './relay-rig.ts';

/** A rig whose data gate decides by what is sent. */
function rigOf(decide: (text: string) => DataVerdict, gateReserveBytes = 8192): Rig {
  return relayRig({
    gates: { channelData: (_channel, _from, _stream, data) => decide(data.toString()) },
    limits: { gateReserveBytes, noticeReserveBytes: 0 },
  });
}

function replaced(by: {
  readonly onward?: string;
  readonly back?: string;
  readonly dropped?: number;
  readonly added?: number;
}): DataVerdict {
  const { onward = '', back = '', dropped = 0, added = 0 } = by;
  return { kind: 'replace', onward: [Buffer.from(onward)], back: [Buffer.from(back)], dropped, added };
}

const toTarget = (text: string) => encodeData(TARGET_NUMBER, Buffer.from(text));
const toClient = (text: string) => encodeData(CLIENT_NUMBER, Buffer.from(text));

describe('a data gate', () => {
  it('holds back window each way, of what is there and of what is granted later', async () => {
    const rig = relayRig({ limits: { gateReserveBytes: 8192, noticeReserveBytes: 0 } });

    rig.client.send(openMessage({ kind: 'session' }));
    const opened = await rig.target.takeOne();
    rig.target.send(confirmMessage(CLIENT_NUMBER, TARGET_NUMBER, 0));
    const confirmed = await rig.client.takeOne();
    rig.target.send(encodeWindowAdjust(CLIENT_NUMBER, 16_000), encodeWindowAdjust(CLIENT_NUMBER, 80_000));

    expect(opened).toEqual(openMessage({ kind: 'session' }, CLIENT_NUMBER, WINDOW - 8192));
    expect(confirmed).toEqual(confirmMessage(CLIENT_NUMBER, TARGET_NUMBER, 0));
    expect(await rig.client.take()).toEqual([
      encodeWindowAdjust(CLIENT_NUMBER, 14_000),
      encodeWindowAdjust(CLIENT_NUMBER, 80_000 - (8192 - 2000)),
    ]);
  });

  it('puts other data in place of what was sent, and answers it', async () => {
    const rig = rigOf((text) =>
      text === 'rm' ? replaced({ onward: 'ls', back: 'no', dropped: 2, added: 2 }) : 'pass',
    );
    await openChannel(rig);

    rig.client.send(toTarget('rm'), toTarget('df'));

    expect(await rig.target.take()).toEqual([toTarget('ls'), toTarget('df')]);
    expect(await rig.client.take()).toEqual([toClient('no')]);
    expect(rig.log.filter((line) => line.includes('data'))).toEqual(['1 client data df']);
  });

  it('keeps bytes back and lets them follow, without credit for them', async () => {
    let kept = '';
    const rig = rigOf((text) => {
      if (text !== 'end') {
        kept += text;
        return replaced({});
      }
      return replaced({ onward: `${kept}end` });
    });
    await openChannel(rig, { targetWindow: 40_000 });
    const part = 'x'.repeat(17_000);

    rig.client.send(toTarget(part), toTarget(part), toTarget('end'));

    expect(await rig.target.take()).toEqual([
      toTarget(`${part}${part}`.slice(0, PACKET)),
      toTarget(`${`${part}${part}`.slice(PACKET)}end`),
    ]);
    expect(await rig.client.take()).toEqual([]);
  });

  it('credits what it drops', async () => {
    const rig = rigOf((text) => replaced({ dropped: text.length }));
    await openChannel(rig);

    rig.client.send(toTarget('x'.repeat(20_000)), toTarget('x'.repeat(20_000)));

    expect(await rig.target.take()).toEqual([]);
    expect(await rig.client.take()).toEqual([encodeWindowAdjust(CLIENT_NUMBER, 40_000)]);
  });

  it('says no more than the window held back has room for, until the receiver has granted that anew', async () => {
    const rig = rigOf(() => replaced({ back: 'x'.repeat(60), dropped: 1 }), 100);
    await openChannel(rig);

    rig.client.send(toTarget('a'));
    await rig.client.take();
    rig.client.send(encodeWindowAdjust(TARGET_NUMBER, 60), toTarget('a'));
    const again = await rig.client.take();
    rig.client.send(toTarget('a'));

    expect(again).toEqual([toClient('x'.repeat(60))]);
    expect((await rig.relay.ended).error).toMatchObject({ code: 'window-spent' });
  });

  it('answers nobody in the name of a side that has said its last', async () => {
    const rig = rigOf(() => replaced({ back: 'no', dropped: 1 }));
    await openChannel(rig);
    rig.target.send(encodeEof(CLIENT_NUMBER));
    await rig.client.take();

    rig.client.send(toTarget('a'));
    rig.target.send(encodeClose(CLIENT_NUMBER));

    expect(await rig.client.take()).toEqual([encodeClose(CLIENT_NUMBER)]);
  });

  it('ends the relay over what can neither pass nor be left out', async () => {
    const rig = rigOf(() => ({ kind: 'refuse', message: 'that makes no sense' }));
    await openChannel(rig);

    rig.client.send(toTarget('a'));

    const end = await rig.relay.ended;
    expect(end.error).toMatchObject({ code: 'data-refused', side: 'client', message: 'that makes no sense' });
    expect(await rig.target.take()).toEqual([]);
  });
});
