import { describe, expect, test } from 'vitest';
import { lockRefusal } from '#core/lock';
import type { ChannelRequest, GlobalRequest, RelayChannel } from '#ssh';
import type { ChannelOwner } from '../../../proxy-task/channels/channel-owner.ts';
import { createSessionChannels } from '../../../proxy-task/channels/session-channels.ts';
import { createContentHashing } from '../../../proxy-task/transfer/index.ts';
import { atMs, sessionFacts } from '../../core/event/sample-facts.ts';
import { lockOf } from '../../core/lock/sample-locks.ts';

const channel: RelayChannel = {
  serial: 1,
  open: {
    from: 'client',
    type: 'session',
    detail: { kind: 'session' },
  } as unknown as RelayChannel['open'],
  bytesFrom: { client: 0, target: 0 },
};
const command = {
  from: 'client',
  wantReply: true,
  detail: { kind: 'exec', command: Buffer.from('sleep 60') },
} as unknown as ChannelRequest;

function ownerWith(changes: Partial<ChannelOwner>): ChannelOwner {
  return {
    facts: sessionFacts,
    access: {
      decide: () => ({ allowed: true, policies: [] }) as never,
      readsFiles: () => false,
      judgesCommands: () => false,
      mfaWouldHelp: () => false,
      reasonMayHelp: () => false,
      readsSessionCount: () => false,
      rulesOf: () => ({}),
      decideAnew: async () => ({ allowed: true, policyIds: [] }),
      approvalWays: () => undefined,
      leansOn: undefined,
      stillGranted: async () => true,
      onLean: undefined,
      isCurrent: true,
      connectAgain: async () => ({ allowed: true, policyIds: [] }),
    },
    locked: () => undefined,
    now: () => atMs,
    record: async () => undefined,
    owe: () => undefined,
    holdUntil: () => undefined,
    hashing: createContentHashing(),
    usage: { moved: () => undefined } as unknown as ChannelOwner['usage'],
    redact: (text) => text,
    startRecording: () => {
      throw new Error('nobody asks');
    },
    storeRecording: () => Promise.reject(new Error('nobody asks')),
    ...changes,
  };
}

describe('a session that a lock fits', () => {
  test('begins nothing new, and lets the target say how a program ended', async () => {
    const lock = lockOf({ identity: 'alice@example.com' });
    const { gates } = createSessionChannels(ownerWith({ locked: () => lockRefusal(lock) }));
    const ofTarget = {
      from: 'target',
      wantReply: false,
      detail: { kind: 'exit-status', status: 0 },
    } as unknown as ChannelRequest;
    const keepalive = { detail: { kind: 'keepalive' } } as unknown as GlobalRequest;

    const verdicts = await Promise.all([
      gates.channelOpen?.(channel.open),
      gates.channelRequest?.(channel, command),
      gates.globalRequest?.(keepalive),
      gates.channelRequest?.(channel, ofTarget),
    ]);

    expect(verdicts.map((verdict) => verdict?.kind)).toEqual(['refuse', 'refuse', 'refuse', 'pass']);
    expect(verdicts[0]).toMatchObject({ message: expect.stringContaining(lock.lockId) });
  });
});

describe('a channel whose events cannot be made durable any more', () => {
  test('has its recording finished all the same, so that nothing of it is held for good', async () => {
    let full = false;
    const owed: Promise<void>[] = [];
    const finished: string[] = [];
    const recorder = {
      output: () => undefined,
      input: () => undefined,
      resize: () => undefined,
      marker: () => undefined,
      pendingLine: () => Promise.reject(new Error('nobody asks')),
      finish: () => Promise.reject(new Error('nobody asks')),
    };
    const owner = ownerWith({
      record: async () => {
        if (full) throw new Error('no space left on device');
      },
      owe: (work) => void owed.push(work),
      startRecording: () => recorder,
      storeRecording: async () => void finished.push('c1'),
    });
    const { gates, taps } = createSessionChannels(owner);
    await gates.channelRequest(channel, command);

    full = true;
    taps.channelClosed?.(channel);
    const outcomes = await Promise.allSettled(owed);

    expect(outcomes.map(({ status }) => status)).toEqual(['rejected']);
    expect(finished).toEqual(['c1']);
  });
});
