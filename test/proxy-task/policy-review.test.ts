import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { LiveSession } from '#core/contract';
import { reviewSessions } from '../../proxy-task/policy-review.ts';

type Judge = (live: () => Promise<readonly LiveSession[]>) => Promise<void>;

function opened(judges: readonly Judge[]) {
  const reports: string[] = [];
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const changes: (() => void)[] = [];
  let lists = 0;
  const again = reviewSessions({
    policies: { current: () => undefined, onChange: (listener) => void changes.push(listener) },
    sessions: () => judges.map((judgeAgain) => ({ judgeAgain })),
    control: {
      list: async () => {
        lists += 1;
        return [];
      },
    },
    report: (line) => reports.push(line),
    signal: stop.signal,
    retryMs: 5,
  });
  return {
    reports,
    stop,
    again,
    change: () => {
      for (const listener of changes) listener();
    },
    lists: () => lists,
  };
}

describe('when other policies have come into force', () => {
  test('every session is asked about, in turns that let others have theirs', async () => {
    let asked = 0;
    const between: number[] = [];
    const { change } = opened(Array.from({ length: 1_000 }, () => async () => void (asked += 1)));
    const watch = () => {
      between.push(asked);
      if (asked < 1_000) setImmediate(watch);
    };

    change();
    watch();
    await vi.waitFor(() => expect(asked).toBe(1_000), { timeout: 5_000 });

    const steps = between.slice(1).map((count, index) => count - (between[index] ?? 0));
    expect(between.length).toBeGreaterThan(100);
    expect(Math.max(...steps)).toBeLessThanOrEqual(8);
  });

  test('the live sessions are read once for all, and only where one needs them', async () => {
    const judge = vi.fn<Judge>(async (live) => void (await live()));
    const { again, lists } = opened(Array.from({ length: 50 }, () => judge));

    again();
    await vi.waitFor(() => expect(judge).toHaveBeenCalledTimes(50));

    expect(lists()).toBe(1);
  });

  test('those of whom it cannot be told are asked about again, and that is reported once', async () => {
    const others = vi.fn<Judge>(async () => undefined);
    const unreadable = vi
      .fn<Judge>(async () => undefined)
      .mockRejectedValueOnce(new Error('the store is gone'))
      .mockRejectedValueOnce(new Error('the store is gone'));
    const { change, reports } = opened([others, unreadable, others]);

    change();
    await vi.waitFor(() => expect(unreadable).toHaveBeenCalledTimes(3));

    expect(others.mock.calls.length).toBeGreaterThanOrEqual(2);
    expect(reports).toEqual([expect.stringContaining('(the store is gone)')]);
  });

  test('a change during a review begins another one, and nobody is asked after the stop', async () => {
    const judge = vi.fn<Judge>(async () => undefined);
    const { change, stop } = opened([judge]);

    change();
    change();
    await vi.waitFor(() => expect(judge).toHaveBeenCalled());
    change();
    await vi.waitFor(() => expect(judge.mock.calls.length).toBeGreaterThan(1));
    const calls = judge.mock.calls.length;
    stop.abort();
    change();
    await new Promise((resolve) => setImmediate(resolve));

    expect(judge.mock.calls.length).toBe(calls);
  });
});
