import { describe, expect, test } from 'vitest';
import type { ChannelRequest, RelayChannel } from '#ssh';
import type { ChannelOwner } from '../../../proxy-task/channels/channel-owner.ts';
import { createSessionChannels } from '../../../proxy-task/channels/session-channels.ts';
import { createContentHashing } from '../../../proxy-task/transfer/index.ts';
import { atMs, sessionFacts } from '../../core/event/sample-facts.ts';

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
    const owner: ChannelOwner = {
      facts: sessionFacts,
      access: {
        decide: () => ({ allowed: true, policies: [] }) as never,
        readsFiles: () => false,
        judgesCommands: () => false,
        mfaWouldHelp: () => false,
        decideAnew: async () => ({ allowed: true, policyIds: [] }),
        approvalWays: () => undefined,
        leansOn: undefined,
        stillGranted: async () => true,
        onLean: undefined,
      },
      now: () => atMs,
      record: async () => {
        if (full) throw new Error('no space left on device');
      },
      owe: (work) => void owed.push(work),
      holdUntil: () => undefined,
      hashing: createContentHashing(),
      usage: { moved: () => undefined } as unknown as ChannelOwner['usage'],
      redact: (text) => text,
      startRecording: () => recorder,
      storeRecording: async () => void finished.push('c1'),
    };
    const { gates, taps } = createSessionChannels(owner);
    await gates.channelRequest(channel, command);

    full = true;
    taps.channelClosed?.(channel);
    const outcomes = await Promise.allSettled(owed);

    expect(outcomes.map(({ status }) => status)).toEqual(['rejected']);
    expect(finished).toEqual(['c1']);
  });
});
