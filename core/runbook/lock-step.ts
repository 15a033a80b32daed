import type { Finding, LockSelector } from '#core/contract';
import { lockIdFor, placeLock, readLockSelector } from '#core/lock';
import { type LockingAction, lockingActions } from './action-catalogue.ts';
import { fillTemplate } from './printable-text.ts';
import type { Runbook, RunbookStep } from './runbook.ts';
import type { Outcome, StepTools } from './take-step.ts';

/** Locks what the finding names. Taken again for the same finding it is the same lock. */
export async function takeLockStep(
  runbook: Runbook,
  finding: Finding,
  step: RunbookStep & { readonly action: LockingAction },
  { control, journal, now }: StepTools,
): Promise<Outcome> {
  const { column, field } = lockingActions[step.action];
  const value = finding.columns[column];
  if (value === undefined || value === '')
    return { outcome: 'failed', detail: `the finding has no ${column} to lock` };
  const read = readLockSelector({ [field]: value } satisfies LockSelector);
  if (!read.ok) return { outcome: 'failed', detail: read.message };
  const placed = await placeLock(
    {
      lockId: lockIdFor(runbook.id, finding.key, String(finding.foundAtMs), step.action),
      selector: read.selector,
      message: fillTemplate(step.message ?? runbook.title, finding.columns),
      forMs: step.forMs,
    },
    { kind: 'runbook', runbookId: runbook.id },
    { control, now, record: (draft) => journal.record(draft) },
  );
  if (placed.kind === 'too-many-locks')
    return { outcome: 'failed', detail: 'there are too many locks; lift some with "sshtrail unlock"' };
  return placed.kind === 'placed'
    ? { outcome: 'done', detail: `${placed.lock.lockId} is on ${column} ${value}` }
    : { outcome: 'not-needed', detail: `${placed.lock.lockId} is there already` };
}
