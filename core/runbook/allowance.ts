import type { ControlStore, Finding } from '#core/contract';
import type { RunbookStep } from './runbook.ts';

/** What the places of a step's limits are kept in. */
export type AllowanceTools = { readonly control: ControlStore; readonly now: () => number };

/** Whose step it is. */
export type AllowanceHolder = {
  readonly finding: Finding;
  /** When the finding is forgotten. */
  readonly expiresAtMs: number;
};

const hourMs = 3_600_000;

/**
 * Takes a place for the step in each of its limits, or none. A place is an item under a number, put where there is none, so that
 * of any number of processes at once no more take the step than the limit says. Whoever takes the step again keeps its place.
 * Undefined where there is room, else the limit in words.
 */
export async function takeAllowance(
  holder: AllowanceHolder,
  step: RunbookStep,
  tools: AllowanceTools,
): Promise<string | undefined> {
  for (const { limit, unit, prefix, expiresAtMs } of scopesOf(holder, step, tools.now())) {
    if (await takePlace(holder, step, tools, { limit, prefix, expiresAtMs })) continue;
    await giveBackAllowance(holder, step, tools);
    return `the limit of ${limit} ${unit} is reached`;
  }
  return undefined;
}

/** For a step that was not taken after all. */
export async function giveBackAllowance(
  holder: AllowanceHolder,
  step: RunbookStep,
  { control, now }: AllowanceTools,
): Promise<void> {
  const prefixes = scopesOf(holder, step, now()).map(({ prefix }) => prefix);
  if (prefixes.length === 0) return;
  for (const { id, data } of await control.list('allowance'))
    if (data.findingKey === holder.finding.key && prefixes.some((prefix) => id.startsWith(prefix)))
      await control.delete('allowance', id);
}

/** How often an action was taken for other findings of the same run. */
export async function takenForRun(
  finding: Finding,
  { control }: AllowanceTools,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { id, data } of await control.list('allowance')) {
    if (!id.startsWith(runPrefix(finding, data.action)) || data.findingKey === finding.key) continue;
    counts.set(data.action, (counts.get(data.action) ?? 0) + 1);
  }
  return counts;
}

type Scope = {
  readonly limit: number;
  readonly unit: string;
  readonly prefix: string;
  readonly expiresAtMs: number;
};

function scopesOf({ finding, expiresAtMs }: AllowanceHolder, step: RunbookStep, nowMs: number): Scope[] {
  const { perRun, perHour } = step.limit ?? {};
  const scopes: Scope[] = [];
  if (perRun !== undefined)
    scopes.push({ limit: perRun, unit: 'a run', prefix: runPrefix(finding, step.action), expiresAtMs });
  if (perHour !== undefined)
    scopes.push({
      limit: perHour,
      unit: 'an hour',
      prefix: `${finding.runbookId}:${step.action}:hour:`,
      expiresAtMs: nowMs + hourMs,
    });
  return scopes;
}

/** Findings of one run were found at the same moment. */
function runPrefix({ runbookId, foundAtMs }: Finding, action: string): string {
  return `${runbookId}:${action}:run-${foundAtMs}:`;
}

async function takePlace(
  { finding }: AllowanceHolder,
  step: RunbookStep,
  { control, now }: AllowanceTools,
  { limit, prefix, expiresAtMs }: Omit<Scope, 'unit'>,
): Promise<boolean> {
  const places = (await control.list('allowance')).filter(({ id }) => id.startsWith(prefix));
  if (places.some(({ data }) => data.findingKey === finding.key)) return true;
  const taken = new Set(places.map(({ id }) => id));
  // Those that come together begin at different places.
  const first = Buffer.from(finding.key, 'utf8').reduce((sum, byte) => sum + byte, 0);
  for (let offset = 0; offset < limit; offset += 1) {
    const id = `${prefix}${(first + offset) % limit}`;
    if (taken.has(id)) continue;
    const data = {
      runbookId: finding.runbookId,
      action: step.action,
      findingKey: finding.key,
      atMs: now(),
    };
    if ((await control.put('allowance', id, data, { kind: 'absent' }, expiresAtMs)) !== undefined)
      return true;
  }
  return false;
}
