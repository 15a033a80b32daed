import { printable } from '../wording/index.ts';
import { decide, type StepUp, stepUp, wish } from './decide.ts';
import type { PolicySet } from './load-policy.ts';
import type { PolicyRequest } from './policy-request.ts';

/** The answer to a request, the policies that made it and what would change it, as lines for a terminal. */
export function explain(policy: PolicySet | undefined, request: PolicyRequest): string {
  const decision = decide(policy, request);
  const lines = decision.allowed
    ? [`allowed: ${wish(request, 'may')}`]
    : [`denied (${decision.reason}): ${decision.message}`];
  for (const candidate of policy?.policies ?? []) {
    if (!decision.policyIds.includes(candidate.id)) continue;
    lines.push('', `${candidate.effect} "${candidate.id}" at ${printable(candidate.file)}:${candidate.line}`);
    lines.push(...candidate.text.split(/\r?\n/).map((line) => `  ${printable(line.replaceAll('\t', '  '))}`));
  }
  if (!decision.allowed) lines.push('', nextStep(policy, request));
  if (policy !== undefined) lines.push('', `policy version ${policy.version.slice(0, 12)}`);
  return `${lines.join('\n')}\n`;
}

function nextStep(policy: PolicySet | undefined, request: PolicyRequest): string {
  if (policy === undefined) return 'Nothing is allowed until the policies can be read.';
  return nextSteps[stepUp(policy, request)];
}

const nextSteps: Readonly<Record<StepUp, string>> = {
  mfa: 'A second factor, proved now, would allow it.',
  approval: 'An approval would allow it.',
  'mfa-and-approval': 'A second factor, proved now, and an approval would allow it.',
  none: 'Neither a second factor nor an approval would change it; a policy would have to.',
};
