import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  decodeGlobalRequest,
  encodeData,
  encodeRequestFailure,
  encodeRequestSuccess,
} from '../../../ssh/connection/index.ts';
import {
  CLIENT_NUMBER,
  globalMessage,
  openChannel,
  otherGlobal,
  quiet,
  type Rig,
  relayRig,
  TARGET_NUMBER,
} from './relay-rig.ts';

const keepalive = { intervalMs: 60_000, maxUnanswered: 3 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

type End = 'client' | 'target';

/** Time passes in halves of an interval, and what it brings arrives. Returns the questions each end got. */
async function pass(
  rig: Rig,
  halves: number,
  answer?: (end: End) => void,
): Promise<{ readonly client: number; readonly target: number }> {
  const asked = { client: 0, target: 0 };
  for (let half = 0; half < halves; half += 1) {
    vi.advanceTimersByTime(keepalive.intervalMs / 2);
    for (const end of ['client', 'target'] as const)
      for (const message of await rig[end].take()) {
        if (message[0] !== 80) continue;
        expect(decodeGlobalRequest(message, end)).toMatchObject({
          type: 'keepalive@openssh.com',
          wantReply: true,
        });
        asked[end] += 1;
        answer?.(end);
      }
    await quiet();
  }
  return asked;
}

test('a side that says nothing for an interval is asked, each of the two', async () => {
  const rig = relayRig({ keepalive });

  const soon = await pass(rig, 1);
  const later = await pass(rig, 1);

  expect(soon).toEqual({ client: 0, target: 0 });
  expect(later).toEqual({ client: 1, target: 1 });
});

test('answers are ours, success and failure alike: the other end hears nothing, and the session goes on', async () => {
  const rig = relayRig({ keepalive });
  const answers = [encodeRequestFailure(), encodeRequestSuccess()];

  const asked = await pass(rig, 40, (end) => {
    rig[end].send(answers[end === 'client' ? 0 : 1] ?? Buffer.alloc(0));
  });
  await quiet();

  const replies = [...rig.client.received, ...rig.target.received].filter((message) => message[0] !== 80);
  expect(asked.client).toBeGreaterThanOrEqual(10);
  expect(asked.target).toBeGreaterThanOrEqual(10);
  expect(replies).toEqual([]);
  expect(rig.log).toEqual([]);
});

test.each(['client', 'target'] as const)(
  'a %s that answers nothing is gone after the last question',
  async (gone) => {
    const rig = relayRig({ keepalive });
    const other = gone === 'client' ? 'target' : 'client';

    const asked = await pass(rig, 8, (end) => {
      if (end === other) rig[end].send(encodeRequestFailure());
    });

    const end = await rig.relay.ended;
    expect(asked[gone]).toBe(3);
    expect(end).toMatchObject({ by: gone, description: `the ${gone} does not answer` });
    expect(vi.getTimerCount()).toBe(0);
  },
);

test('a side that talks is not asked, whatever it says', async () => {
  const rig = relayRig({ keepalive });
  await openChannel(rig);
  let asked = 0;
  for (let half = 0; half < 12; half += 1) {
    rig.client.send(encodeData(TARGET_NUMBER, Buffer.from('x')));
    rig.target.send(encodeData(CLIENT_NUMBER, Buffer.from('y')));
    await quiet();
    vi.advanceTimersByTime(keepalive.intervalMs / 2);
    for (const end of ['client', 'target'] as const)
      asked += (await rig[end].take()).filter((message) => message[0] === 80).length;
  }

  expect(asked).toBe(0);
});

test("ours and the peers' own keepalives keep their order: each gets the answer that is meant for it", async () => {
  const rig = relayRig({ keepalive });
  rig.client.send(globalMessage({ kind: 'keepalive' }));
  await rig.target.takeOne();
  // The first look sees the request that came meanwhile.
  vi.advanceTimersByTime(keepalive.intervalMs * 1.5);
  await rig.target.takeOne();
  rig.client.send(
    otherGlobal('hostkeys-prove-00@openssh.com'),
    globalMessage({ kind: 'tcpip-forward', host: '', port: 0 }),
  );
  await quiet();
  await rig.client.take();

  const port = Buffer.from('00001f90', 'hex');
  rig.target.send(
    encodeRequestSuccess(Buffer.from('mine')),
    encodeRequestFailure(),
    encodeRequestSuccess(port),
  );

  expect(await rig.client.take()).toEqual([
    encodeRequestSuccess(Buffer.from('mine')),
    encodeRequestFailure(),
    encodeRequestSuccess(port),
  ]);
});

test('a side that is not read is not silent: it is asked again only once it is read', async () => {
  // What the client does not take pauses the reading of the target.
  const rig = relayRig({ keepalive: { ...keepalive, maxUnanswered: 1 }, backlogHighBytes: 1000 });
  await openChannel(rig, { clientWindow: 1_000_000 });
  rig.client.transport.setReadPaused(true);
  for (let chunk = 0; chunk < 8; chunk += 1) rig.target.send(encodeData(CLIENT_NUMBER, Buffer.alloc(1000)));
  await quiet();
  let over = false;
  void rig.relay.ended.then(() => {
    over = true;
  });

  for (let half = 0; half < 20; half += 1) {
    // The client is there; it only reads nothing of what is for it.
    rig.client.send(encodeData(TARGET_NUMBER, Buffer.from('x')));
    await quiet();
    vi.advanceTimersByTime(keepalive.intervalMs / 2);
  }
  await quiet();
  const asked = rig.target.received.filter((message) => message[0] === 80);

  expect(over).toBe(false);
  expect(asked).toEqual([]);
});

test('a side that waits for the decision of a gate is not silent', async () => {
  const decided = Promise.withResolvers<{ readonly kind: 'pass' }>();
  const rig = relayRig({
    keepalive: { ...keepalive, maxUnanswered: 1 },
    gates: { globalRequest: () => decided.promise },
  });
  rig.client.send(otherGlobal('question@example.com'));
  await quiet();

  const asked = await pass(rig, 10, (end) => {
    if (end === 'target') rig.target.send(encodeRequestFailure());
  });
  decided.resolve({ kind: 'pass' });
  await quiet();

  expect(asked.client).toBe(0);
  expect(rig.target.received.at(-1)?.toString()).toContain('question@example.com');
});

test('a peer that talks and never answers is asked no more than the limit', async () => {
  const rig = relayRig({ keepalive });
  await openChannel(rig);
  let asked = 0;
  for (let round = 0; round < 20; round += 1) {
    rig.client.send(encodeData(TARGET_NUMBER, Buffer.from('x')));
    await quiet();
    const passed = await pass(rig, 4, (end) => {
      if (end === 'target') rig.target.send(encodeRequestFailure());
    });
    asked += passed.client;
  }

  expect(asked).toBe(3);
});

test('a reply to a question that nobody asked still ends the relay', async () => {
  const rig = relayRig({ keepalive });

  rig.client.send(encodeRequestFailure());

  expect((await rig.relay.ended).description).toMatch(/answered a global request that was not made/);
});

test('without settings nobody is asked, and no timer is left', async () => {
  const rig = relayRig();

  expect(await pass(rig, 20)).toEqual({ client: 0, target: 0 });
  expect(vi.getTimerCount()).toBe(0);
});
