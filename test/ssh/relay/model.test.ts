import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRelay, type Verdict } from '../../../ssh/relay/index.ts';
import { memoryTransports } from '../../support/memory-transport.ts';
import { fateOf, type ModelChannel, ModelEndpoint, type Step } from './model-endpoint.ts';
import { quiet } from './relay-rig.ts';

const RESERVE = 64;

type Move = { readonly who: 'client' | 'target' | 'notice'; readonly turns: number; readonly step: Step };

const move: fc.Arbitrary<Move> = fc.record({
  who: fc.constantFrom('client', 'client', 'client', 'target', 'target', 'target', 'notice'),
  turns: fc.constantFrom(0, 0, 0, 1, 2, 5),
  step: fc.record({
    action: fc.nat(100),
    pick: fc.nat(100),
    size: fc.nat(200),
    fate: fc.record({
      verdict: fc.constantFrom('pass', 'pass', 'refuse'),
      delay: fc.constantFrom(0, 0, 0, 1, 4),
    }),
  }),
});

describe('a relay between two ends that do anything legal', () => {
  it('delivers exactly what was sent, within every window, with each reply in its place', async () => {
    const covered = { channels: 0, bytes: 0, notices: 0 };

    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 150, size: 'max' }), async (moves) => {
        const { client, target, channels } = await run(moves);

        for (const [opener, accepter] of [
          [client.opened.byUs, target.opened.byPeer],
          [target.opened.byUs, client.opened.byPeer],
        ] as const) {
          expect(opener.length).toBe(accepter.length);
          covered.channels += opener.length;
          opener.forEach((one, at) => expectSameContent(one, accepter[at]));
        }
        for (const channel of client.opened.byUs) covered.bytes += Buffer.concat(channel.got).length;
        covered.notices += client.notices;
        expect([...client.askedGlobally, ...target.askedGlobally]).toEqual([]);
        expect(channels).toBe(client.channels.size);
        expect(target.channels.size).toBe(client.channels.size);
        for (const channel of client.channels.values())
          expectSameWindows(
            channel,
            [...target.channels.values()].find(({ peer }) => peer === channel.own),
          );
      }),
      { numRuns: 150 },
    );

    // What the run is for did happen.
    expect(covered.channels).toBeGreaterThan(100);
    expect(covered.bytes).toBeGreaterThan(10_000);
    expect(covered.notices).toBeGreaterThan(50);
  });
});

async function run(
  moves: readonly Move[],
): Promise<{ readonly client: ModelEndpoint; readonly target: ModelEndpoint; readonly channels: number }> {
  const engineer = memoryTransports();
  const server = memoryTransports();
  let id = 0;
  const nextId = () => {
    id += 1;
    return id;
  };
  const client = new ModelEndpoint('client', engineer.client, nextId);
  const target = new ModelEndpoint('target', server.server, nextId);
  const relay = createRelay({
    client: engineer.server,
    target: server.client,
    gates: {
      channelOpen: verdictOn,
      channelRequest: (_, request) => verdictOn(request),
      globalRequest: verdictOn,
    },
    taps: {},
    limits: { noticeReserveBytes: RESERVE },
  });

  for (const { who, turns, step } of moves) {
    if (who === 'notice') relay.notice('n'.repeat(step.size % 50));
    else (who === 'client' ? client : target).act(step);
    await quiet(turns);
  }
  do await quiet(30);
  while ([client.settle(), target.settle()].some(Boolean));

  const channels = relay.channels.size;
  expect([...client.faults, ...target.faults]).toEqual([]);

  relay.cut(11, 'the run is over');
  // Had it ended before, for a fault, this would not be the reason.
  expect(await relay.ended).toEqual({ by: 'gateway', code: 11, description: 'the run is over' });
  return { client, target, channels };
}

/** What one end sent is what the other got, message by message; and nothing waits for an answer on an open channel. */
function expectSameContent(one: ModelChannel, other: ModelChannel | undefined): void {
  expect(other).toBeDefined();
  expect(other?.got).toEqual(one.sent);
  expect(one.got).toEqual(other?.sent);
  expect(other?.gotEof).toBe(one.sentEof);
  expect(one.gotEof).toBe(other?.sentEof);
  expect(other?.gotClose).toBe(one.sentClose);
  expect(one.gotClose ? [] : one.asked).toEqual([]);
  expect(other?.gotClose === false ? other.asked : []).toEqual([]);
}

/** When all is quiet, each end may send what the other expects, less what is held back for notices. */
function expectSameWindows(client: ModelChannel, target: ModelChannel | undefined): void {
  if (target === undefined) throw new Error('the target does not know the channel');
  expect(client.sendWindow).toBe(target.receiveWindow);
  const heldBack = client.receiveWindow - target.sendWindow;
  expect(heldBack).toBeGreaterThanOrEqual(0);
  expect(heldBack).toBeLessThanOrEqual(RESERVE);
}

function verdictOn(request: {
  readonly type: string;
  readonly detail: { readonly kind: string };
}): Verdict | Promise<Verdict> {
  return request.detail.kind === 'unknown' || request.detail.kind === 'other' ? decided(request.type) : pass;
}

const pass: Verdict = { kind: 'pass' };

function decided(type: string): Verdict | Promise<Verdict> {
  const { verdict, delay } = fateOf(type);
  const said: Verdict = verdict === 'pass' ? pass : { kind: 'refuse', message: 'no' };
  return delay === 0 ? said : quiet(delay).then(() => said);
}
