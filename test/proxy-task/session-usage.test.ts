import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createUsageMeter, type SessionUsage } from '../../proxy-task/session-usage.ts';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

function meter() {
  const reports: SessionUsage[] = [];
  return {
    reports,
    meter: createUsageMeter({ now: Date.now, report: (usage) => reports.push(usage) }),
  };
}

describe('the usage of a session', () => {
  it('is told a minute after something moved, and counts from there', () => {
    const { reports, meter: usage } = meter();

    usage.moved('client', 3);
    vi.advanceTimersByTime(20_000);
    usage.moved('client', 4);
    usage.moved('target', 500);
    vi.advanceTimersByTime(40_000);
    usage.moved('target', 7);
    vi.advanceTimersByTime(60_000);

    expect(reports).toEqual([
      { bytesIn: 7, bytesOut: 500, seconds: 60, lastInputAtMs: 1_020_000 },
      { bytesIn: 0, bytesOut: 7, seconds: 60, lastInputAtMs: undefined },
    ]);
  });

  it('is not told where nothing moves, and costs no timer then', () => {
    const { reports, meter: usage } = meter();

    const idle = vi.getTimerCount();
    usage.moved('target', 1);
    vi.advanceTimersByTime(600_000);

    expect(idle).toBe(0);
    expect(reports).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is not told after the end, which has the sums', () => {
    const { reports, meter: usage } = meter();

    usage.moved('target', 1);
    usage.end();
    usage.moved('target', 1);
    vi.advanceTimersByTime(600_000);

    expect(reports).toEqual([]);
  });
});
