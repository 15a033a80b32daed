import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ActionTaken, ControlStore, Finding, Journal, Notifier } from '#core/contract';
import { detectCondition, executeRunbookStep, type RunbookRun } from '#core/event';
import { type ExposedRule, exposedRules, rulesOfCloudTrail, type SecurityGroupRule } from '#core/exposure';
import { type Count, FunctionError, type Log } from '../shared/index.ts';

/** Live state of security groups. */
export type SecurityGroups = {
  /** The rules with these ids that exist now; every ingress rule where none are named. */
  rules(ids?: readonly string[]): Promise<readonly SecurityGroupRule[]>;
  /** Whether the group says that sshtrail manages it. */
  isManaged(groupId: string): Promise<boolean>;
  /** Takes back exactly that rule. False where it was gone. */
  revoke(groupId: string, ruleId: string): Promise<boolean>;
};

export type CheckExposureParts = {
  readonly groups: SecurityGroups;
  readonly control: ControlStore;
  readonly journal: Journal;
  readonly notifier: Notifier;
  readonly allowedGroups: readonly string[];
  readonly log: Log;
  readonly count: Count;
  readonly now: () => number;
};

export type CheckExposureSummary = {
  readonly exposed: number;
  readonly closed: readonly string[];
  /** Open, and for people to close. */
  readonly left: readonly string[];
};

const runbookId = 'SSH-013';
const sshPort = 22;
/** A rule that is still open after a day is told again. */
const suppressMs = 86_400_000;

const managementEvent = z.looseObject({
  'detail-type': z.literal('AWS API Call via CloudTrail'),
  detail: z.looseObject({
    userIdentity: z.looseObject({ arn: z.string().optional() }).optional(),
    requestParameters: z.unknown().optional(),
  }),
});
const sweep = z.looseObject({ kind: z.literal('sweep') });
/** ModifySecurityGroupRules names the rules it changed in the request only. */
const ruleIdPattern = /sgr-[0-9a-f]{8,17}/g;

/**
 * Finds port 22 open to the world (SSH-013): in the rules that a management event made, or in all that are live. What is found is looked at again
 * before anything is done; a rule of a group that sshtrail manages is taken back, others are told to people.
 * @throws FunctionError `bad-request`; `incomplete` where a rule could not be taken back
 */
export async function checkExposure(
  event: unknown,
  parts: CheckExposureParts,
): Promise<CheckExposureSummary> {
  const exposed = exposedRules(await rulesToJudge(event, parts.groups), {
    port: sshPort,
    allowedGroups: parts.allowedGroups,
  });
  if (exposed.length === 0) return { exposed: 0, closed: [], left: [] };
  parts.count('ExposedRules', exposed.length);
  const closed: string[] = [];
  const left: string[] = [];
  const failed: string[] = [];
  for (const rule of exposed) {
    try {
      ((await handle(rule, actorOf(event), parts)) ? closed : left).push(rule.ruleId);
    } catch (error) {
      parts.log.error('an exposed rule could not be handled', error, { ruleId: rule.ruleId });
      failed.push(`${rule.ruleId}: ${error instanceof Error ? error.message : 'unknown fault'}`);
    }
  }
  if (failed.length > 0)
    throw new FunctionError(
      'incomplete',
      `${failed.length} exposed rules could not be handled: ${failed.join('; ')}`,
    );
  return { exposed: exposed.length, closed, left };
}

/** The event tells which rules to look at; what they are is asked of EC2, since much may have happened since. */
async function rulesToJudge(event: unknown, groups: SecurityGroups): Promise<readonly SecurityGroupRule[]> {
  if (sweep.safeParse(event).success) return groups.rules();
  const parsed = managementEvent.safeParse(event);
  const made = parsed.success ? rulesOfCloudTrail(parsed.data.detail) : undefined;
  if (!parsed.success || made === undefined)
    throw new FunctionError('bad-request', 'this is neither a management event of EC2 nor {"kind": "sweep"}');
  const changed = JSON.stringify(parsed.data.detail.requestParameters ?? {}).match(ruleIdPattern) ?? [];
  const ids = [...new Set([...made.map(({ ruleId }) => ruleId), ...changed])].slice(0, 1000);
  return ids.length === 0 ? [] : groups.rules(ids);
}

function actorOf(event: unknown): string {
  const parsed = managementEvent.safeParse(event);
  return (parsed.success ? parsed.data.detail.userIdentity?.arn : undefined) ?? 'unknown';
}

/** True where the rule is closed. */
async function handle(rule: ExposedRule, actor: string, parts: CheckExposureParts): Promise<boolean> {
  const { groups, control, journal, notifier, now } = parts;
  const atMs = now();
  const run = runOf(rule, atMs);
  const finding = findingOf(rule, actor, atMs);
  const id = `${runbookId}:${finding.key}`;
  const isNew = await control.put('finding', id, finding, { kind: 'absent' }, atMs + suppressMs);
  if (isNew !== undefined) await journal.record(detectCondition(run, atMs, finding));

  const managed = await groups.isManaged(rule.groupId);
  if (managed) {
    const gone = !(await groups.revoke(rule.groupId, rule.ruleId));
    await putOnRecord(rule, run, parts, {
      outcome: gone ? 'not-needed' : 'done',
      detail: gone ? 'the rule was gone' : `took back ${rule.ruleId} of ${rule.groupId} (${rule.cidr})`,
    });
  }
  if (isNew !== undefined)
    await notifier.notify({
      severity: 'critical',
      title: finding.title,
      text: `${finding.title}. Opened by ${actor}. ${
        managed
          ? 'sshtrail took the rule back, since the group is tagged sshtrail:managed=true.'
          : 'The group is not tagged sshtrail:managed=true, so the rule stays: close it, or add the group to exposureAllowedGroups in sshtrail.config.ts.'
      } See docs/runbook-ssh-013.md.`,
      runbookId,
      findingKey: finding.key,
    });
  return managed;
}

async function putOnRecord(
  rule: ExposedRule,
  run: RunbookRun,
  { journal, control, now }: CheckExposureParts,
  outcome: Pick<ActionTaken, 'outcome' | 'detail'>,
): Promise<void> {
  const action = 'sg.revokeRule';
  const taken: ActionTaken = { runbookId, findingKey: rule.ruleId, action, atMs: now(), ...outcome };
  const id = `${runbookId}:${rule.ruleId}:0`;
  // Delivered twice, it is on record once; a rule that was opened again has another id.
  const isNew = await control.put('action', id, taken, { kind: 'absent' }, now() + suppressMs);
  if (isNew === undefined) return;
  await journal.record(
    executeRunbookStep(run, now(), { findingKey: rule.ruleId, step: 0, action, ...outcome }),
  );
}

function runOf(rule: ExposedRule, atMs: number): RunbookRun {
  const seed = createHash('sha256').update(`${rule.ruleId}\n${atMs}`).digest('hex');
  return { runbookId, runId: `r-${seed.slice(0, 16)}`, mode: 'live', trigger: 'event' };
}

function findingOf(rule: ExposedRule, actor: string, atMs: number): Finding {
  const ports = rule.protocol === '-1' ? 'all' : `${rule.fromPort ?? ''}-${rule.toPort ?? ''}`;
  return {
    runbookId,
    key: rule.ruleId,
    title: `${rule.groupId} opens port 22 to ${rule.cidr}`,
    severity: 'critical',
    foundAtMs: atMs,
    columns: {
      group_id: rule.groupId,
      rule_id: rule.ruleId,
      cidr: rule.cidr,
      protocol: rule.protocol,
      ports,
      actor,
    },
    state: 'acted',
  };
}
