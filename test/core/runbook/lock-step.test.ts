import { describe, expect, it } from 'vitest';
import type { Finding } from '../../../core/contract/index.ts';
import { lockIdPattern } from '../../../core/lock/index.ts';
import type { LockingAction } from '../../../core/runbook/action-catalogue.ts';
import { takeLockStep } from '../../../core/runbook/lock-step.ts';
import { fakeActions, fakeJournal, fakeNotifier, memoryControlStore } from './fakes.ts';
import { sampleRunbook } from './sample-runbook.ts';

const clock = { nowMs: Date.UTC(2026, 10, 20, 12) };
const fingerprint = `SHA256:${'B'.repeat(43)}`;
const finding: Finding = {
  runbookId: 'SSH-900',
  key: '203.0.113.9',
  title: 't',
  severity: 'high',
  foundAtMs: clock.nowMs,
  columns: { source_ip: '203.0.113.9', user_name: 'bob', key_fingerprint: fingerprint },
  state: 'open',
};

function setUp(columns: Finding['columns'] = finding.columns) {
  const control = memoryControlStore(clock);
  const journal = fakeJournal();
  const tools = {
    control,
    journal,
    notifier: fakeNotifier(),
    actions: fakeActions(),
    now: () => clock.nowMs,
  };
  const take = (action: LockingAction, forMs?: number) =>
    takeLockStep(
      sampleRunbook(),
      { ...finding, columns },
      {
        action,
        mode: 'auto',
        message: 'locked for ${user_name}',
        ...(forMs === undefined ? {} : { forMs }),
      },
      tools,
    );
  const locks = async () => (await control.list('lock')).map(({ data }) => data);
  return { control, journal, take, locks };
}

describe('a step that locks', () => {
  it.each<[LockingAction, object]>([
    ['source.block', { source: '203.0.113.9' }],
    ['principal.lock', { identity: 'bob' }],
    ['key.revoke', { keyFingerprint: fingerprint }],
  ])('%s locks what the finding names, for its time, on record', async (action, selector) => {
    const { journal, take, locks } = setUp();

    const outcome = await take(action, 1_800_000);

    const [lock] = await locks();
    expect(outcome).toMatchObject({ outcome: 'done', detail: expect.stringContaining(lock?.lockId ?? '?') });
    expect(lock).toMatchObject({
      lockId: expect.stringMatching(lockIdPattern),
      selector,
      message: 'locked for bob',
      author: 'runbook/SSH-900',
      expiresAtMs: clock.nowMs + 1_800_000,
    });
    expect(journal.drafts).toMatchObject([
      { eventName: 'CreateLock', userIdentity: { type: 'ServiceIdentity', userName: 'runbook/SSH-900' } },
    ]);
  });

  it('makes one lock however often it is taken', async () => {
    const { journal, take, locks } = setUp();
    await take('source.block', 1_000);

    const again = await take('source.block', 1_000);

    expect(again.outcome).toBe('not-needed');
    expect(await locks()).toHaveLength(1);
    expect(journal.drafts).toHaveLength(1);
  });

  it.each([
    ['names nobody', {}],
    ['has an empty column', { source_ip: '' }],
    ['has a column that is no address', { source_ip: '-' }],
    ['has a column that is every address', { source_ip: '0.0.0.0/0' }],
    ['has a column that is a range with more in it', { source_ip: '203.0.113.9/8' }],
  ])('fails where the finding %s', async (_, columns) => {
    const { take, locks } = setUp(columns);

    expect((await take('source.block', 1_000)).outcome).toBe('failed');
    expect(await locks()).toEqual([]);
  });
});
