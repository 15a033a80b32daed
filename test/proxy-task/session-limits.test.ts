import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSessionLimits } from '../../proxy-task/session-limits.ts';

const minute = 60_000;
const hour = 60 * minute;

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

function limits() {
  const said: string[] = [];
  const ends: string[] = [];
  const made = createSessionLimits({
    startedAtMs: Date.now(),
    now: Date.now,
    notice: (text) => said.push(text),
    stop: ({ endReason }) => {
      ends.push(endReason);
      made.end();
    },
  });
  return { made, said, ends };
}

describe('the limits of a session', () => {
  it('cost no timer where there is no rule', () => {
    const { made, ends } = limits();

    made.heed({ maxSessions: 3, requiresReason: true });
    made.touch();

    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1000 * hour);
    expect(ends).toEqual([]);
  });

  it('end it when nothing came for as long as it may rest, counted from the last byte', () => {
    const { made, ends } = limits();
    made.heed({ idleTimeoutMs: 15 * minute });

    vi.advanceTimersByTime(14 * minute);
    made.touch();
    vi.advanceTimersByTime(14 * minute);
    made.touch();
    vi.advanceTimersByTime(15 * minute - 1);
    expect(ends).toEqual([]);
    vi.advanceTimersByTime(1);

    expect(ends).toEqual(['IdleTimeout']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('end it when it has lasted long enough, and say so five minutes before, once', () => {
    const { made, said, ends } = limits();
    made.heed({ maxDurationMs: 8 * hour });

    vi.advanceTimersByTime(8 * hour - 5 * minute - 1);
    expect(said).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(said).toEqual(['this session ends in 5 minutes: policy allows 8 hours']);
    vi.advanceTimersByTime(5 * minute - 1);
    expect(ends).toEqual([]);
    vi.advanceTimersByTime(1);

    expect(ends).toEqual(['DurationExceeded']);
    expect(said).toHaveLength(1);
  });

  it('say nothing beforehand of a session that is short anyway', () => {
    const { made, said, ends } = limits();
    made.heed({ maxDurationMs: 2 * minute });

    vi.advanceTimersByTime(2 * minute);

    expect([said, ends]).toEqual([[], ['DurationExceeded']]);
  });

  it('get stricter by what is allowed later, and no weaker', () => {
    const { made, said, ends } = limits();
    made.heed({ maxDurationMs: 8 * hour });
    vi.advanceTimersByTime(58 * minute);

    made.heed({ maxDurationMs: hour });
    made.heed({ maxDurationMs: 4 * hour });

    expect(said).toEqual(['this session ends in 2 minutes: policy allows 1 hour']);
    vi.advanceTimersByTime(2 * minute);
    expect(ends).toEqual(['DurationExceeded']);
  });

  it('end it at once where a new rule is over already', () => {
    const { made, ends } = limits();
    vi.advanceTimersByTime(hour);

    made.heed({ idleTimeoutMs: minute });

    expect(ends).toEqual(['IdleTimeout']);
  });

  it('are over with the session', () => {
    const { made, ends } = limits();
    made.heed({ idleTimeoutMs: minute, maxDurationMs: hour });

    made.end();

    expect(vi.getTimerCount()).toBe(0);
    made.heed({ idleTimeoutMs: 1000 });
    vi.advanceTimersByTime(2 * hour);
    expect(ends).toEqual([]);
  });
});
