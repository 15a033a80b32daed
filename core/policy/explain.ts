import { printable } from '../wording/index.ts';
import { type Decision, wish } from './decide.ts';
import type { PolicySet } from './load-policy.ts';
import type { PolicyRequest } from './policy-request.ts';
import { firstDenied } from './questions.ts';
import { rulesOf, type SessionRules } from './session-rules.ts';
import { approvalsNeeded, breakGlassHelp, reasonMayHelp, type StepUp, stepUp } from './step-up.ts';

/** What the gateway would answer, the policies that made it, and what would change it. */
export type Explanation = {
  readonly decision: Decision;
  /** The question that was answered: the one asked for, or the first before it that is denied. */
  readonly request: PolicyRequest;
  readonly policies: readonly {
    readonly id: string;
    readonly effect: 'permit' | 'forbid';
    readonly file: string;
    readonly line: number;
    readonly text: string;
  }[];
  readonly stepUp: StepUp;
  /** How many people have to approve, where that would help. */
  readonly approvalsNeeded: number;
  readonly reasonMayHelp: boolean;
  readonly breakGlass: ReturnType<typeof breakGlassHelp>;
  /** What a session would have to keep to, where it is allowed. */
  readonly rules: SessionRules;
  /** Of the policy set; undefined where there is none. */
  readonly version: string | undefined;
};

/** Asks what the gateway asks for such a wish, in its order. */
export function explain(policy: PolicySet | undefined, request: PolicyRequest): Explanation {
  const answered = firstDenied(policy, request);
  const { decision } = answered;
  const step = stepUp(policy, answered.request);
  const approvals =
    step === 'approval'
      ? approvalsNeeded(policy, answered.request)
      : approvalsNeeded(policy, { ...answered.request, mfa: { method: 'totp', ageSeconds: 0 } });
  return {
    ...answered,
    policies: (policy?.policies ?? [])
      .filter(({ id }) => decision.policyIds.includes(id))
      .map(({ id, effect, file, line, text }) => ({ id, effect, file, line, text })),
    stepUp: step,
    approvalsNeeded: step === 'approval' || step === 'mfa-and-approval' ? (approvals ?? 0) : 0,
    reasonMayHelp: reasonMayHelp(policy, answered.request),
    breakGlass: breakGlassHelp(policy, answered.request),
    rules: decision.allowed ? rulesOf(policy, decision.policyIds) : {},
    version: policy?.version,
  };
}

/** The same as lines for a terminal. */
export function explanationText(explanation: Explanation): string {
  const { decision, request, policies, version } = explanation;
  const lines = decision.allowed
    ? [`allowed: ${wish(request, 'may')}`]
    : [`denied (${decision.reason}): ${decision.message}`];
  for (const { id, effect, file, line, text } of policies) {
    lines.push('', `${effect} "${id}" at ${printable(file)}:${line}`);
    lines.push(...text.split(/\r?\n/).map((written) => `  ${printable(written.replaceAll('\t', '  '))}`));
  }
  const rules = rulesText(explanation.rules);
  if (rules.length > 0) lines.push('', ...rules);
  if (!decision.allowed) lines.push('', ...nextSteps(explanation));
  if (version !== undefined) lines.push('', `policy version ${version.slice(0, 12)}`);
  return `${lines.join('\n')}\n`;
}

/** Break-glass is no way for every day: it is named where nothing else is, or after it. */
function nextSteps(explanation: Explanation): string[] {
  const { breakGlass, stepUp: step } = explanation;
  if (breakGlass === 'none' || step === 'mfa' || explanation.reasonMayHelp) return [nextStep(explanation)];
  const glass = `Break-glass${breakGlass === 'with-mfa' ? ' and a second factor, proved now,' : ''} would allow it in an emergency; people are paged.`;
  return step === 'none' ? [glass] : [nextStep(explanation), glass];
}

function nextStep(explanation: Explanation): string {
  if (explanation.version === undefined) return 'Nothing is allowed until the policies can be read.';
  const people = explanation.approvalsNeeded === 1 ? 'one person' : `${explanation.approvalsNeeded} people`;
  const withReason = explanation.reasonMayHelp ? ', with a reason that the policies take,' : '';
  switch (explanation.stepUp) {
    case 'mfa':
      return `A second factor, proved now${withReason === '' ? ',' : withReason} would allow it.`;
    case 'approval':
      return `The approval of ${people}${withReason} would allow it.`;
    case 'mfa-and-approval':
      return `A second factor, proved now, and the approval of ${people}${withReason} would allow it.`;
    case 'none':
      return explanation.reasonMayHelp
        ? 'A reason that the policies take would allow it.'
        : 'Neither a second factor nor an approval would change it; a policy would have to.';
    default:
      return explanation.stepUp satisfies never;
  }
}

function rulesText(rules: SessionRules): string[] {
  const { idleTimeoutMs, maxDurationMs, maxSessions, requiresReason } = rules;
  return [
    ...(requiresReason === true ? ['The engineer is asked for a reason.'] : []),
    ...(idleTimeoutMs === undefined ? [] : [`It ends after ${durationText(idleTimeoutMs)} without input.`]),
    ...(maxDurationMs === undefined ? [] : [`It ends ${durationText(maxDurationMs)} after its start.`]),
    ...(maxSessions === undefined ? [] : [`The identity has at most ${maxSessions} sessions at once.`]),
  ];
}

/** `8 hours`, `90 seconds`: the largest unit that divides it. */
export function durationText(durationMs: number): string {
  for (const [unit, unitMs] of units) {
    const count = durationMs / unitMs;
    if (Number.isInteger(count) && count > 0) return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
  }
  return `${Math.ceil(durationMs / 1000)} seconds`;
}

const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const;
