import type { AuditRecord } from '#core/contract';
import type { IngestWindow } from '#core/lake';
import type { Trigger } from './runbook.ts';
import { isScheduleDue } from './schedule.ts';

/** What of a record says whether it starts a run. */
export type TriggeringEvent = Pick<AuditRecord, 'eventName' | 'userIdentity'>;

/** Runs overlap by this much, so that an event the journal took while the last run read is seen by the next. */
const overlapMs = 60_000;
/** How far back a run reaches after the scheduler was away. */
const maxCatchUpMs = 7 * 86_400_000;

/** Whether the clock calls for a run; `lastRunMs` undefined: there was none yet. */
export function isDue(trigger: Trigger, lastRunMs: number | undefined, nowMs: number): boolean {
  return trigger.schedule !== undefined && isScheduleDue(trigger.schedule, lastRunMs, nowMs);
}

/** Whether the event calls for a run, `trigger.delayMs` later. What a runbook did never does. */
export function matchesEvent(trigger: Trigger, record: TriggeringEvent): boolean {
  return trigger.events.includes(record.eventName) && !isRunbookActor(record);
}

/** What a run at `nowMs` looks at: the lookback, or all since the last run where that is longer ago. */
export function runWindow(trigger: Trigger, lastRunMs: number | undefined, nowMs: number): IngestWindow {
  const sinceLast = lastRunMs === undefined ? nowMs : Math.max(lastRunMs - overlapMs, nowMs - maxCatchUpMs);
  return { fromMs: Math.min(nowMs - trigger.lookbackMs, sinceLast), toMs: nowMs };
}

function isRunbookActor(record: TriggeringEvent): boolean {
  const { type, userName } = record.userIdentity;
  return type === 'ServiceIdentity' && userName.startsWith('runbook/');
}
