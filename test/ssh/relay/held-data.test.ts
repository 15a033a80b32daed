import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeClose,
  encodeData,
  encodeEof,
  encodeExtendedData,
  encodeWindowAdjust,
} from '../../../ssh/connection/index.ts';
import type { DataVerdict, HeldVerdict } from '../../../ssh/relay/index.ts';
import { MessageNumber } from '../../../ssh/wire/index.ts';
import {
  CLIENT_NUMBER,
  openChannel,
  openShell,
  quiet,
  type Rig,
  type RigOptions,
  relayRig,
  requestMessage,
  TARGET_NUMBER,
} from './relay-rig.ts';

type Held = { readonly text: string; answer(verdict: HeldVerdict): void; fail(error: Error): void };

/** A rig that holds what its client sends at each `!`, and who decides about it. */
function holdingRig(options: RigOptions = {}): { readonly rig: Rig; readonly held: Held[] } {
  const held: Held[] = [];
  const decide = (text: string): DataVerdict => {
    const at = text.indexOf('!');
    if (at < 0) return 'pass';
    const { promise, resolve, reject } = Promise.withResolvers<HeldVerdict>();
    held.push({ text: text.slice(at), answer: resolve, fail: reject });
    return { kind: 'hold', pass: at, until: promise };
  };
  const rig = relayRig({
    ...options,
    gates: {
      channelData: (_channel, from, _stream, data) => (from === 'client' ? decide(data.toString()) : 'pass'),
    },
  });
  return { rig, held };
}

const toTarget = (text: string, number = TARGET_NUMBER) => encodeData(number, Buffer.from(text));
const toClient = (text: string, number = CLIENT_NUMBER) => encodeData(number, Buffer.from(text));
/** Behind number, recipient channel and length (RFC 4254 §5.2). */
const dataOf = (message: Buffer) => message.subarray(9);
const passes: HeldVerdict = { bytes: 1 };

describe('held data', () => {
  it('waits with all that follows it on its channel, in order, and goes on when it is decided', async () => {
    const { rig, held } = holdingRig();
    await openChannel(rig);

    rig.client.send(toTarget('ls!'), toTarget('more'), encodeEof(TARGET_NUMBER));
    const before = await rig.target.take();
    held[0]?.answer(passes);

    expect(before).toEqual([toTarget('ls')]);
    expect(await rig.target.take()).toEqual([toTarget('!'), toTarget('more'), encodeEof(TARGET_NUMBER)]);
    expect(rig.log.slice(1)).toEqual([
      '1 client data ls',
      '1 client data !',
      '1 client data more',
      '1 eof client',
    ]);
  });

  it('is asked about once for each place, also in what came while it was held', async () => {
    const { rig, held } = holdingRig();
    await openChannel(rig);

    rig.client.send(toTarget('a!b!c'), toTarget('d!'));
    for (let decided = 0; decided < 3; decided += 1) {
      await quiet();
      held[decided]?.answer(passes);
    }

    expect((await rig.target.take()).map((message) => dataOf(message).toString())).toEqual([
      'a',
      '!',
      'b',
      '!',
      'c',
      'd',
      '!',
    ]);
    expect(held.map(({ text }) => text)).toEqual(['!b!c', '!c', '!']);
  });

  it('holds up nothing else: requests, windows, the other side, other channels', async () => {
    const { rig, held } = holdingRig();
    await openChannel(rig);
    await openChannel(rig, { client: 11, target: 78 });
    const signal = requestMessage(TARGET_NUMBER, { kind: 'signal', signal: 'INT' }, false);

    rig.client.send(toTarget('!'), signal, encodeWindowAdjust(TARGET_NUMBER, 100), toTarget('x', 78));
    rig.target.send(toClient('output'));

    expect(await rig.target.take()).toEqual([
      signal,
      encodeWindowAdjust(TARGET_NUMBER, 100),
      toTarget('x', 78),
    ]);
    expect(await rig.client.take()).toEqual([toClient('output')]);
    expect(held).toHaveLength(1);
  });

  it('gives way to other bytes and a line for the terminal, and what is short of it is credited', async () => {
    const { rig, held } = holdingRig();
    await openShell(rig);

    rig.client.send(toTarget('rm!!!'), toTarget('.'));
    await rig.target.take();
    held[0]?.answer({ bytes: 3, onward: Buffer.from('\x03'), notice: 'not allowed\x1b[2J' });

    expect(await rig.target.take()).toEqual([toTarget('\x03'), toTarget('.')]);
    expect(await rig.client.take()).toEqual([toClient('\r\nnot allowed [2J\r\n')]);
    expect(rig.log.filter((line) => line.includes('data'))).toEqual(['1 client data rm', '1 client data .']);
  });

  it('loses no byte of a window, whatever is held, passed and replaced', async () => {
    const { rig, held } = holdingRig();
    await openChannel(rig, { targetWindow: 60_000 });
    const credited = async () =>
      (await rig.client.take())
        .filter((message) => message[0] === MessageNumber.channelWindowAdjust)
        .reduce((sum, message) => sum + message.readUInt32BE(5), 0);

    rig.client.send(toTarget('!'.padEnd(30_000, 'x')), toTarget('y'.repeat(30_000)));
    expect(await credited()).toBe(0);
    held[0]?.answer({ bytes: 30_000, onward: Buffer.alloc(0) });
    expect(await credited()).toBe(30_000);
    rig.client.send(toTarget('z'.repeat(30_000)));

    expect((await rig.target.take()).reduce((sum, message) => sum + dataOf(message).length, 0)).toBe(60_000);
  });

  it('is not taken beyond the window either', async () => {
    const { rig } = holdingRig();
    await openChannel(rig, { targetWindow: 100 });

    rig.client.send(toTarget('!'), toTarget('x'.repeat(100)));

    expect((await rig.relay.ended).error).toMatchObject({ code: 'window-exceeded', side: 'client' });
  });

  it('stops the reading of its sender when there is too much of it, until it has gone', async () => {
    const { rig, held } = holdingRig();
    await openChannel(rig, { targetWindow: 1_000_000 });
    await openChannel(rig, { client: 11, target: 78 });

    rig.client.send(toTarget('!'));
    for (let sent = 0; sent < 2000; sent += 1) rig.client.send(toTarget('x'));
    rig.client.send(toTarget('other', 78));
    const before = await rig.target.take();
    held[0]?.answer(passes);
    const after = await rig.target.take();

    expect(before).toEqual([]);
    expect(after).toHaveLength(2002);
    expect(after.at(-1)).toEqual(toTarget('other', 78));
  });

  it('is taken back by a CLOSE of its sender, and a late decision changes nothing', async () => {
    const { rig, held } = holdingRig();
    await openChannel(rig);

    rig.client.send(toTarget('ls!'), encodeClose(TARGET_NUMBER));
    const closed = await rig.target.take();
    rig.target.send(encodeClose(CLIENT_NUMBER));
    await rig.client.take();
    await openChannel(rig);
    held[0]?.answer(passes);

    expect(closed).toEqual([toTarget('ls'), encodeClose(TARGET_NUMBER)]);
    expect(await rig.target.take()).toEqual([]);
    expect(rig.relay.channels.size).toBe(1);
  });

  it('stays where it is when the relay ends', async () => {
    const { rig, held } = holdingRig();
    await openChannel(rig);
    rig.client.send(toTarget('!'));
    await rig.target.take();

    rig.relay.end(11, 'enough');
    held[0]?.answer(passes);

    expect(await rig.target.take()).toEqual([]);
    expect(await rig.relay.ended).toMatchObject({ by: 'gateway' });
  });

  it('ends the relay where nobody can decide about it', async () => {
    const { rig, held } = holdingRig();
    await openChannel(rig);
    rig.client.send(toTarget('!'));
    await rig.target.take();

    held[0]?.fail(new Error('the decision failed'));

    expect((await rig.relay.ended).error).toMatchObject({ code: 'gate-failed' });
    expect(await rig.target.take()).toEqual([]);
  });

  it('allows no data behind an EOF that is held', async () => {
    const { rig } = holdingRig();
    await openChannel(rig);

    rig.client.send(toTarget('!'), encodeEof(TARGET_NUMBER), toTarget('more'));

    expect((await rig.relay.ended).error).toMatchObject({ code: 'channel-state', side: 'client' });
  });

  it('arrives as it was sent, however it is cut and wherever it is held', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[ab!]{1,12}$/), { minLength: 1, maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 12 })),
        async (parts, cuts) => {
          const { rig, held } = holdingRig();
          await openChannel(rig);
          rig.client.send(...parts.map((part) => toTarget(part)));

          let decided = 0;
          for (await quiet(4); decided < held.length; await quiet(4)) {
            const { text, answer } = held[decided] ?? { text: '', answer: () => undefined };
            decided += 1;
            answer({ bytes: Math.max(1, Math.min(text.length, cuts.next().value ?? 1)) });
          }

          const arrived = (await rig.target.take()).map((message) => dataOf(message).toString());
          expect(arrived.join('')).toBe(parts.join(''));
          rig.relay.cut(11, 'the run is over');
        },
      ),
      { numRuns: 50 },
    );
  });
});

it('extended data of a client is none of its typing, whatever type it says', async () => {
  const streams: string[] = [];
  const rig = relayRig({
    gates: {
      channelData: (_channel, _from, stream) => {
        streams.push(stream);
        return 'pass';
      },
    },
  });
  await openChannel(rig);
  const pasteMark = encodeExtendedData(TARGET_NUMBER, 2, Buffer.from('\x1b[200~'));

  rig.client.send(pasteMark);

  expect(await rig.target.take()).toEqual([pasteMark]);
  expect(streams).toEqual(['stderr']);
});
