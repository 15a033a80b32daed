import { describe, expect, it } from 'vitest';
import { givenRecords } from '../../../core/runbook/given-events.ts';
import { isDue, matchesEvent, runWindow, type Trigger } from '../../../core/runbook/index.ts';
import { parseSchedule } from '../../../core/runbook/schedule.ts';

const noonMs = Date.UTC(2026, 10, 20, 12);
const minuteMs = 60_000;

function scheduled(text: string): Trigger {
  const schedule = parseSchedule(text);
  if (schedule === undefined) throw new Error(`not a schedule: ${text}`);
  return { events: [], delayMs: 0, schedule, lookbackMs: 30 * minuteMs };
}

describe('a schedule', () => {
  it('by rate is due at first, and then each time the interval has passed', () => {
    const trigger = scheduled('rate(5 minutes)');

    expect([
      isDue(trigger, undefined, noonMs),
      isDue(trigger, noonMs - 4 * minuteMs, noonMs),
      isDue(trigger, noonMs - 5 * minuteMs, noonMs),
    ]).toEqual([true, false, true]);
  });

  it.each([
    ['cron(0 12 * * ? *)', true],
    ['cron(0 6 * * ? *)', false],
    ['cron(*/15 * * * ? *)', true],
    ['cron(0/30 8-18 ? * MON-FRI *)', true],
    ['cron(0 12 ? * SUN *)', false],
    ['cron(0 12 20 NOV ? 2026)', true],
    ['cron(0 12 1,20 11 ? *)', true],
    ['cron(0 12 * * ? 2027)', false],
  ])('%s at noon on Friday, 20 November 2026, is due: %s', (text, due) => {
    expect(isDue(scheduled(text), noonMs - minuteMs, noonMs)).toBe(due);
  });

  it('by cron is due after the minute passed while nobody looked, and once', () => {
    const trigger = scheduled('cron(0 12 * * ? *)');

    expect([
      isDue(trigger, noonMs - minuteMs, noonMs + 3 * minuteMs),
      isDue(trigger, noonMs + minuteMs, noonMs + 3 * minuteMs),
      isDue(trigger, undefined, noonMs + 3 * minuteMs),
    ]).toEqual([true, false, false]);
  });

  it.each([
    'rate(0 minutes)',
    'rate(5)',
    'rate(5 seconds)',
    'cron(0 12 * *)',
    'cron(60 * * * ? *)',
    'cron(5-1 * * * ? *)',
    'cron(x * * * ? *)',
    'cron(* * * * ? *',
    'hourly',
  ])('refuses %s', (text) => {
    expect(parseSchedule(text)).toBeUndefined();
  });
});

function recordOf(fields: object) {
  const given = {
    agoMs: 0,
    repeat: 1,
    everyMs: 0,
    eventName: 'StartSession',
    fields: { ...fields },
  } as const;
  const [record] = givenRecords([given], noonMs);
  if (record === undefined) throw new Error('no record');
  return record;
}

describe('an event', () => {
  const trigger: Trigger = { events: ['StartSession'], delayMs: 0, lookbackMs: minuteMs };

  it('of the right name calls for a run, and of another does not', () => {
    expect(matchesEvent(trigger, recordOf({ principal: 'alice' }))).toBe(true);
    expect(matchesEvent({ ...trigger, events: ['EndSession'] }, recordOf({}))).toBe(false);
  });

  it('that a runbook wrote calls for none', () => {
    expect(matchesEvent(trigger, recordOf({ principal: 'runbook/SSH-002', type: 'ServiceIdentity' }))).toBe(
      false,
    );
    expect(matchesEvent(trigger, recordOf({ principal: 'runbook/SSH-002', type: 'LocalUser' }))).toBe(true);
  });
});

describe('the window of a run', () => {
  const trigger: Trigger = { events: [], delayMs: 0, lookbackMs: 30 * minuteMs };

  it('is the lookback', () => {
    expect(runWindow(trigger, noonMs - minuteMs, noonMs)).toEqual({
      fromMs: noonMs - 30 * minuteMs,
      toMs: noonMs,
    });
  });

  it('reaches back to the last run when nobody looked for longer, but not for ever', () => {
    expect(runWindow(trigger, noonMs - 90 * minuteMs, noonMs).fromMs).toBe(noonMs - 91 * minuteMs);
    expect(runWindow(trigger, 0, noonMs).fromMs).toBe(noonMs - 7 * 1_440 * minuteMs);
  });
});
