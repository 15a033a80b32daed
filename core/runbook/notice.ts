import type { Finding, Notice } from '#core/contract';
import { isMet } from './condition.ts';
import type { Decision } from './decide-actions.ts';
import type { Runbook } from './runbook.ts';

/** What people are told of a finding: what, whom it concerns, why it matters, what was or will be done. */
export function findingNotice(runbook: Runbook, finding: Finding, decisions: readonly Decision[]): Notice {
  const columns = Object.entries(finding.columns).map(([name, value]) => `${name}=${value}`);
  const steps = decisions
    .filter((decision) => decision.action !== 'notify')
    .map((decision) => `${decision.action}: ${decisionWords[decision.kind]} (${decision.reason})`);
  const text = [escalationText(runbook, finding), ...steps, columns.join(', '), runbook.why];
  return {
    severity: finding.severity,
    title: `${runbook.id} ${finding.title}`,
    text: text.filter((part) => part !== '').join('\n'),
    runbookId: runbook.id,
    findingKey: finding.key,
  };
}

/** A step that nobody will take unless a person does. */
export function stepNotice(
  runbook: Runbook,
  finding: Finding,
  step: { readonly action: string; readonly reason: string; readonly kind: 'approval' | 'given-up' },
): Notice {
  const group = runbook.steps.find((each) => each.action === step.action)?.approvers?.group ?? runbook.owner;
  const text =
    step.kind === 'approval'
      ? `${step.action} waits for approval by ${group}: ${step.reason}`
      : `${step.action} failed and is left to people (${runbook.owner}): ${step.reason}`;
  return {
    severity: finding.severity,
    title: `${runbook.id} ${finding.title}`,
    text,
    runbookId: runbook.id,
    findingKey: finding.key,
  };
}

const decisionWords: Readonly<Record<Decision['kind'], string>> = {
  take: 'automatic',
  ask: 'needs approval',
  manual: 'to be done by a person',
  skip: 'not taken',
  settled: 'settled',
  wait: 'under way',
};

function escalationText(runbook: Runbook, finding: Finding): string {
  const escalation = runbook.escalations.find(
    (each) => each.when === undefined || isMet(each.when, finding.columns),
  );
  if (escalation === undefined) return '';
  const within = escalation.within === undefined ? '' : ` within ${escalation.within}`;
  return `${escalation.priority} to ${escalation.to}${within}`;
}
