import type { ActionTaken, Finding } from '#core/contract';
import { detectCondition, executeRunbookStep, type RunbookRun } from '#core/event';
import { type ExposedRule, exposedRules } from '#core/exposure';
import { claimFinding, type FindingClaim, FunctionError, settleFinding } from '../shared/index.ts';
import type { CheckExposureParts } from './check-exposure.ts';

export const exposureRunbook = 'SSH-013';

type Outcome = Pick<ActionTaken, 'outcome' | 'detail'>;

/** As long as an invocation may take. */
const leaseMs = 120_000;
/** People are told again of a rule that is still open after a day. */
const lifetimeMs = 86_400_000;
const action = 'sg.revokeRule';

/** `busy`: another invocation has it. @throws where the rule could not be taken back, or people could not be told */
export async function closeExposure(
  rule: ExposedRule,
  actor: string,
  run: RunbookRun,
  parts: CheckExposureParts,
): Promise<'closed' | 'left' | 'busy'> {
  const { groups, invocation } = parts;
  const managed = await groups.isManaged(rule.groupId);
  // One that was closed and is open again, or that sshtrail may close by now.
  const claim = await claimRule(rule, actor, parts, ({ state }) => state === 'acted' || managed);
  if (claim === undefined) return managed ? 'busy' : 'left';
  if (claim.before !== 'failed' && claim.before !== 'waiting-approval') await detect(claim, run, parts);
  const outcome = managed ? await takeBack(rule, parts) : undefined;
  if (outcome !== undefined) await putStep(claim.finding, outcome, run, parts);
  const told = await tell(claim, outcome, parts);
  const state =
    told.fault !== undefined || outcome?.outcome === 'failed'
      ? 'failed'
      : managed
        ? 'acted'
        : 'waiting-approval';
  await settleFinding(
    invocation.control,
    { ...claim, finding: { ...told.finding, state } },
    parts.now() + lifetimeMs,
  );
  if (told.fault !== undefined) throw told.fault;
  if (outcome?.outcome === 'failed') throw new FunctionError('incomplete', outcome.detail);
  return managed ? 'closed' : 'left';
}

/** A rule that was open for a moment: it is on record, and nobody need come. */
export async function noteBriefExposure(
  rule: ExposedRule,
  actor: string,
  run: RunbookRun,
  parts: CheckExposureParts,
): Promise<void> {
  const claim = await claimRule(rule, actor, parts, () => false);
  if (claim === undefined) return;
  if (claim.before === 'new') await detect(claim, run, parts);
  await finish(claim, run, parts);
}

/** Of a finding that was not brought to its end: the rule is gone by now, by whomever. */
export async function forgetExposure(
  finding: Finding,
  run: RunbookRun,
  parts: CheckExposureParts,
): Promise<void> {
  const { invocation, now } = parts;
  const claim = await claimFinding(invocation.control, finding, {
    nowMs: now(),
    leaseMs,
    expiresAtMs: now() + lifetimeMs,
    again: () => true,
  });
  if (claim !== undefined) await finish(claim, run, parts);
}

async function finish(claim: FindingClaim, run: RunbookRun, parts: CheckExposureParts): Promise<void> {
  const outcome: Outcome = { outcome: 'not-needed', detail: 'the rule is not open any more' };
  await putStep(claim.finding, outcome, run, parts);
  // Whoever was to be told and was not learns it now.
  const isOwed = claim.before === 'failed' || claim.before === 'open';
  const told = isOwed ? await tell(claim, outcome, parts) : { finding: claim.finding, fault: undefined };
  const state = told.fault === undefined ? 'acted' : 'failed';
  const settled = { ...claim, finding: { ...told.finding, state } as const };
  await settleFinding(parts.invocation.control, settled, parts.now() + lifetimeMs);
  if (told.fault !== undefined) throw told.fault;
}

function claimRule(
  rule: ExposedRule,
  actor: string,
  { invocation, now }: CheckExposureParts,
  again: (settled: Finding) => boolean,
): Promise<FindingClaim | undefined> {
  const nowMs = now();
  const finding = exposureFinding(rule, actor, nowMs);
  return claimFinding(invocation.control, finding, {
    nowMs,
    leaseMs,
    expiresAtMs: nowMs + lifetimeMs,
    again,
  });
}

async function detect(
  { finding }: FindingClaim,
  run: RunbookRun,
  { invocation, now }: CheckExposureParts,
): Promise<void> {
  await invocation.journal.record(detectCondition(run, now(), finding));
}

/** Takes back exactly that rule, if it is still open: it may have been changed, and its id stays. */
async function takeBack(rule: ExposedRule, { groups, allowedGroups }: CheckExposureParts): Promise<Outcome> {
  try {
    for await (const page of groups.rules({ kind: 'rules', ids: [rule.ruleId] }))
      for (const { cidr } of exposedRules(page, { port: 22, allowedGroups }).open) {
        const done = await groups.revoke(rule.groupId, rule.ruleId);
        return done === 'revoked'
          ? { outcome: 'done', detail: `took back ${rule.ruleId} of ${rule.groupId} (${cidr})` }
          : { outcome: 'not-needed', detail: 'the rule was gone' };
      }
    return { outcome: 'not-needed', detail: 'the rule was gone' };
  } catch (error) {
    return { outcome: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
}

async function putStep(
  finding: Finding,
  outcome: Outcome,
  run: RunbookRun,
  { invocation, now }: CheckExposureParts,
): Promise<void> {
  await invocation.journal.record(
    executeRunbookStep(run, now(), { findingKey: finding.key, step: 0, action, ...outcome }),
  );
}

/** Once of each outcome. `fault` where nobody could be told. */
async function tell(
  { finding }: FindingClaim,
  outcome: Outcome | undefined,
  { notifier }: CheckExposureParts,
): Promise<{ readonly finding: Finding; readonly fault: unknown }> {
  const news = outcome?.outcome ?? 'left';
  if (finding.columns['told'] === news) return { finding, fault: undefined };
  try {
    await notifier.notify({
      severity: finding.severity,
      title: `${exposureRunbook} ${finding.title}`,
      text: noticeText(finding, outcome),
      runbookId: exposureRunbook,
      findingKey: finding.key,
    });
    return { finding: { ...finding, columns: { ...finding.columns, told: news } }, fault: undefined };
  } catch (fault) {
    return { finding, fault };
  }
}

function noticeText({ columns }: Finding, outcome: Outcome | undefined): string {
  const done =
    outcome === undefined
      ? `The group is not tagged sshtrail:managed=true, so the rule stays: close it by hand, or, if it is meant, add ${columns['group_id']} to exposureAllowedGroups in sshtrail.config.ts.`
      : outcome.outcome === 'failed'
        ? `It could not be closed, do that by hand: ${outcome.detail}.`
        : `It is closed: ${outcome.detail}.`;
  return [
    `Rule ${columns['rule_id']} of ${columns['group_id']} lets ${columns['cidr']} in (protocol ${columns['protocol']}, ports ${columns['ports']}); with it, servers are reached past the gateway.`,
    `Opened by ${columns['actor']}.`,
    done,
    'What to do next: docs/runbook-ssh-013.md',
  ].join('\n');
}

/** A rule's id is its own for ever, also where the rule is changed. */
export function exposureFinding(rule: ExposedRule, actor: string, foundAtMs: number): Finding {
  const { ruleId, groupId, cidr, protocol, fromPort = -1, toPort = -1 } = rule;
  const ports = protocol === '-1' || (fromPort === -1 && toPort === -1) ? 'all' : `${fromPort}-${toPort}`;
  return {
    runbookId: exposureRunbook,
    key: ruleId,
    title: `${groupId} opens port 22 to ${cidr}`,
    severity: 'critical',
    foundAtMs,
    columns: { group_id: groupId, rule_id: ruleId, cidr, protocol, ports, actor },
    state: 'open',
  };
}
