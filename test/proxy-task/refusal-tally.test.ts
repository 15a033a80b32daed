import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AuditDraft } from '#core/contract';
import { createRefusalTally, type RefusalTallyOptions } from '../../proxy-task/refusal-tally.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

function tallyOf(options: Partial<RefusalTallyOptions> = {}) {
  const drafts: AuditDraft[] = [];
  const faults: unknown[] = [];
  const tally = createRefusalTally({
    proxy: { proxyId: 'p-1', version: '0.1.0' },
    now: Date.now,
    record: async (draft) => drafts.push(draft),
    onFault: (error) => faults.push(error),
    ...options,
  });
  const counts = () => drafts.map((draft) => draft.responseElements['reasons']);
  return { tally, drafts, faults, counts };
}

test('the first refusal of a source is on record at once', () => {
  const { tally, drafts } = tallyOf();

  tally.refused('203.0.113.7', 'starting-too-fast');

  expect(drafts).toMatchObject([
    {
      eventName: 'RefuseConnection',
      sourceIPAddress: '203.0.113.7',
      responseElements: { connections: '1' },
    },
  ]);
});

test('a flood of one source is one event a minute, with its counts', () => {
  const { tally, drafts, counts } = tallyOf();
  for (let second = 0; second < 180; second += 1) {
    for (let each = 0; each < 1000; each += 1) tally.refused('203.0.113.7', 'starting-too-fast');
    tally.refused('203.0.113.7', 'too-many-from-source');
    vi.advanceTimersByTime(1000);
  }

  expect(drafts).toHaveLength(4);
  expect(counts()).toEqual([
    'starting-too-fast=1',
    'starting-too-fast=59999 too-many-from-source=60',
    'starting-too-fast=60000 too-many-from-source=60',
    'starting-too-fast=60000 too-many-from-source=60',
  ]);
});

test('two events of one source are a minute apart at least, whenever its refusals begin', () => {
  const { tally, drafts } = tallyOf();
  tally.refused('192.0.2.1', 'protocol-error');
  vi.advanceTimersByTime(59_000);
  tally.refused('203.0.113.7', 'protocol-error');
  tally.refused('203.0.113.7', 'protocol-error');

  vi.advanceTimersByTime(59_000);
  const before = drafts.length;
  vi.advanceTimersByTime(62_000);

  expect(before).toBe(2);
  const [first, second] = drafts.filter(({ sourceIPAddress }) => sourceIPAddress === '203.0.113.7');
  expect((second?.eventTimeMs ?? 0) - (first?.eventTimeMs ?? 0)).toBeGreaterThanOrEqual(60_000);
});

test('a flood of many sources is bounded: those beyond the bound are one event together', () => {
  const { tally, drafts } = tallyOf();
  for (let minute = 0; minute < 2; minute += 1) {
    for (let host = 0; host < 50_000; host += 1)
      tally.refused(`2001:db8:${(host >> 8).toString(16)}:${(host & 255).toString(16)}::1`, 'login-timeout');
    vi.advanceTimersByTime(60_000);
  }

  expect(drafts.length).toBeLessThanOrEqual(2 * 101 + 101);
  const refused = drafts.reduce((sum, draft) => sum + Number(draft.responseElements['connections']), 0);
  expect(refused).toBe(100_000);
  expect(drafts.filter((draft) => draft.requestParameters['manySources'] === 'true')).toHaveLength(3);
});

test('a source that went quiet is forgotten, and its next refusal is told at once again', () => {
  const { tally, drafts } = tallyOf();
  tally.refused('203.0.113.7', 'login-timeout');
  vi.advanceTimersByTime(120_000);
  const timers = vi.getTimerCount();

  tally.refused('203.0.113.7', 'login-timeout');

  expect(timers).toBe(0);
  expect(drafts).toHaveLength(2);
});

test('closing puts on record what is counted, and takes nothing more', async () => {
  const { tally, drafts } = tallyOf();
  for (let each = 0; each < 5; each += 1) tally.refused('203.0.113.7', 'login-timeout');

  await tally.close();
  tally.refused('203.0.113.7', 'login-timeout');

  expect(drafts.map((draft) => draft.responseElements['connections'])).toEqual(['1', '4']);
  expect(vi.getTimerCount()).toBe(0);
});

test('a journal that cannot be written is told, and throws nothing', async () => {
  const { tally, faults } = tallyOf({ record: () => Promise.reject(new Error('disk full')) });

  tally.refused('203.0.113.7', 'login-timeout');
  await tally.close();

  expect(faults).toEqual([new Error('disk full')]);
});
