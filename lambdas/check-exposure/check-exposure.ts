import { z } from 'zod';
import type { Finding, Notifier } from '#core/contract';
import type { RunbookRun } from '#core/event';
import {
  type ExposedRule,
  exposedRules,
  type RuleSelection,
  readRuleChange,
  type SecurityGroups,
} from '#core/exposure';
import { type Count, FunctionError, type Invocation, type Log } from '../shared/index.ts';
import {
  closeExposure,
  exposureFinding,
  exposureRunbook,
  forgetExposure,
  noteBriefExposure,
} from './close-exposure.ts';

export type CheckExposureParts = {
  readonly invocation: Pick<Invocation, 'control' | 'journal'>;
  readonly groups: SecurityGroups;
  readonly notifier: Notifier;
  /** Groups whose open port is meant. */
  readonly allowedGroups: readonly string[];
  readonly runId: string;
  readonly log: Log;
  readonly count: Count;
  readonly now: () => number;
};

export type CheckExposureSummary = {
  /** Rules that let the world in to port 22 when they were looked at. */
  readonly open: number;
  readonly closed: readonly string[];
  /** For people to close; they were told. */
  readonly left: readonly string[];
  /** Rules over prefix lists, which are not looked into. */
  readonly unknown: number;
};

type Looked = {
  readonly open: readonly ExposedRule[];
  /** Rules that were open when they were made, and are not now. */
  readonly brief: readonly ExposedRule[];
  readonly unknown: number;
  readonly actor: string;
  readonly whole: boolean;
};

const sshPort = 22;
/** More are looked after by the next sweep. */
const maxRules = 500;

const managementEvent = z.object({
  'detail-type': z.literal('AWS API Call via CloudTrail'),
  detail: z.unknown(),
});
const sweep = z.object({ kind: z.literal('sweep') });

/**
 * Finds port 22 open to the world (SSH-013): in what a management event made or changed, or in all that there is. The event only says where to
 * look: what is done goes by the live state, which is read again before it. A rule of a managed group is taken back, of others people are told.
 * One rule's failure does not stop the others.
 *
 * @throws FunctionError `bad-request`; `incomplete` where a rule could not be looked after, which is tried again. SecurityGroupsError
 */
export async function checkExposure(
  event: unknown,
  parts: CheckExposureParts,
): Promise<CheckExposureSummary> {
  const looked = await look(event, parts);
  const { log, count, runId } = parts;
  const run: RunbookRun = {
    runbookId: exposureRunbook,
    runId,
    mode: 'live',
    trigger: looked.whole ? 'schedule' : 'event',
  };
  if (looked.open.length > 0) count('ExposedRules', looked.open.length);
  const closed: string[] = [];
  const left: string[] = [];
  const failed: string[] = [];
  const after = async (ruleId: string, work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      log.error('an open rule could not be looked after', error, { ruleId });
      failed.push(`${ruleId}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  for (const rule of looked.open)
    await after(rule.ruleId, async () => {
      const outcome = await closeExposure(rule, looked.actor, run, parts);
      (outcome === 'left' ? left : closed).push(rule.ruleId);
    });
  for (const rule of looked.brief)
    await after(rule.ruleId, () => noteBriefExposure(rule, looked.actor, run, parts));
  if (looked.whole)
    for (const finding of await unsettled(looked, parts))
      await after(finding.columns['rule_id'] ?? finding.key, () => forgetExposure(finding, run, parts));
  const summary = { open: looked.open.length, closed, left, unknown: looked.unknown };
  log.info('rules were looked at', {
    open: summary.open,
    closed: closed.length,
    left: left.length,
    unknown: summary.unknown,
  });
  if (failed.length > 0)
    throw new FunctionError(
      'incomplete',
      `${failed.length} open rules could not be looked after: ${failed.slice(0, 5).join('; ')}; see docs/runbook-ssh-013.md`,
    );
  return summary;
}

async function look(event: unknown, parts: CheckExposureParts): Promise<Looked> {
  const { allowedGroups, groups, log } = parts;
  const options = { port: sshPort, allowedGroups };
  if (sweep.safeParse(event).success)
    return {
      ...(await openNow({ kind: 'all' }, groups, options, log)),
      brief: [],
      actor: 'unknown',
      whole: true,
    };
  const parsed = managementEvent.safeParse(event);
  const change = parsed.success ? readRuleChange(parsed.data.detail) : undefined;
  if (change === undefined)
    throw new FunctionError(
      'bad-request',
      'this is no change of rules by CloudTrail and no {"kind": "sweep"}; deploy the stacks again, whose rules send these',
    );
  const { actor, made, ruleIds, groupIds } = change;
  const where: RuleSelection =
    ruleIds.length > 0 ? { kind: 'rules', ids: ruleIds } : { kind: 'groups', ids: groupIds };
  const now = await openNow(where, groups, options, log);
  const openIds = new Set(now.open.map(({ ruleId }) => ruleId));
  const brief = exposedRules(made, options).open.filter(({ ruleId }) => !openIds.has(ruleId));
  return { ...now, brief: brief.slice(0, maxRules), actor, whole: false };
}

async function openNow(
  where: RuleSelection,
  groups: SecurityGroups,
  options: Parameters<typeof exposedRules>[1],
  log: Log,
): Promise<Pick<Looked, 'open' | 'unknown'>> {
  const open: ExposedRule[] = [];
  let unknown = 0;
  for await (const page of groups.rules(where)) {
    const judged = exposedRules(page, options);
    open.push(...judged.open.slice(0, maxRules - open.length));
    unknown += judged.unknown.length;
    for (const { ruleId, groupId, prefixListId } of judged.unknown)
      log.info('who reaches port 22 by a prefix list is not known here', { ruleId, groupId, prefixListId });
  }
  return { open, unknown };
}

/** Findings that are not over, of rules that are not open any more. */
async function unsettled({ open }: Looked, { invocation }: CheckExposureParts): Promise<readonly Finding[]> {
  // Where there are more rules than were looked after, nobody knows.
  if (open.length === maxRules) return [];
  const keys = new Set(open.map((rule) => exposureFinding(rule, 'unknown', 0).key));
  return (await invocation.control.list('finding'))
    .map(({ data }) => data)
    .filter(
      ({ runbookId, key, state }) => runbookId === exposureRunbook && state !== 'acted' && !keys.has(key),
    );
}
