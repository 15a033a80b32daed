import type { ControlStore, RunbookProgress } from '#core/contract';

export type Started = 'schedule' | 'event';

/** End of the last window that was looked at whole, by what started the run. */
export type Progress = Readonly<Partial<Record<Started, number>>>;

/** Longer than a run reaches back. */
const lifetimeMs = 8 * 86_400_000;

export async function readProgress(
  control: ControlStore,
  runbookId: string,
  engine: RunbookProgress['engine'],
): Promise<Progress> {
  const [schedule, event] = await Promise.all(
    (['schedule', 'event'] as const).map((started) => control.get('run', idOf(runbookId, engine, started))),
  );
  return {
    ...(schedule === undefined ? {} : { schedule: schedule.data.lastRunMs }),
    ...(event === undefined ? {} : { event: event.data.lastRunMs }),
  };
}

/** Never goes back; of two at once either may be kept, since the other is looked at again at worst. */
export async function saveProgress(
  control: ControlStore,
  run: RunbookProgress,
  started: Started,
): Promise<void> {
  const id = idOf(run.runbookId, run.engine, started);
  const current = await control.get('run', id);
  if (current !== undefined && current.data.lastRunMs >= run.lastRunMs) return;
  await control.put(
    'run',
    id,
    run,
    current === undefined ? { kind: 'absent' } : { kind: 'version', version: current.version },
    run.lastRunMs + lifetimeMs,
  );
}

function idOf(runbookId: string, engine: RunbookProgress['engine'], started: Started): string {
  return `${runbookId}:${engine}:${started}`;
}
