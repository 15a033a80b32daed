import type { ControlStore, Finding } from '#core/contract';

/** A finding under the hands of one invocation. */
export type FindingClaim = {
  readonly finding: Finding;
  readonly version: number;
  /** What it was before: `new`, or the state it was left in. */
  readonly before: 'new' | Finding['state'];
};

export type ClaimOptions = {
  readonly nowMs: number;
  /** How long an invocation may take; one that was cut off leaves its finding to another after that. */
  readonly leaseMs: number;
  /** The finding is forgotten then, and may be found anew. */
  readonly expiresAtMs: number;
  /** Whether one that was settled is to be looked after again. */
  readonly again: (settled: Finding) => boolean;
};

/**
 * Of several invocations that find the same at once, one gets it: by a conditional write. Undefined for the others, and where nothing is
 * left to do.
 */
export async function claimFinding(
  control: ControlStore,
  found: Finding,
  options: ClaimOptions,
): Promise<FindingClaim | undefined> {
  const { nowMs, leaseMs, expiresAtMs, again } = options;
  const id = findingId(found);
  const there = await control.get('finding', id);
  if (
    there !== undefined &&
    !isFree(there.data, nowMs - leaseMs) &&
    !(isSettled(there.data) && again(there.data))
  )
    return undefined;
  // One that was settled and is found again began anew; the others go on.
  const goesOn = there !== undefined && !isSettled(there.data);
  const finding: Finding = {
    ...found,
    ...(goesOn
      ? { foundAtMs: there.data.foundAtMs, columns: { ...found.columns, ...there.data.columns } }
      : {}),
    state: 'open',
    handedOverMs: nowMs,
  };
  const condition =
    there === undefined ? { kind: 'absent' as const } : { kind: 'version' as const, version: there.version };
  const version = await control.put('finding', id, finding, condition, expiresAtMs);
  return version === undefined ? undefined : { finding, version, before: there?.data.state ?? 'new' };
}

/** Says what became of it. Nothing happens where another invocation has taken it over. */
export async function settleFinding(
  control: ControlStore,
  { finding, version }: FindingClaim,
  expiresAtMs: number,
): Promise<void> {
  await control.put('finding', findingId(finding), finding, { kind: 'version', version }, expiresAtMs);
}

function findingId({ runbookId, key }: Finding): string {
  return `${runbookId}:${key}`;
}

function isSettled({ state }: Finding): boolean {
  return state === 'acted' || state === 'waiting-approval';
}

function isFree({ state, handedOverMs, foundAtMs }: Finding, beforeMs: number): boolean {
  return state === 'failed' || (state === 'open' && (handedOverMs ?? foundAtMs) < beforeMs);
}
