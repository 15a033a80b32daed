import { decide } from './decide.ts';
import type { PolicySet } from './load-policy.ts';
import type { PolicyRequest } from './policy-request.ts';

/** What to ask the engineer, or others, for; a closed list. */
export type StepUp = 'none' | 'mfa' | 'approval' | 'mfa-and-approval';

/** More people than anybody is asked to wait for. */
const maxApprovals = 8;

/**
 * The least that would turn a no into a yes: a second factor proved now, the approval of others, or both. `method` is the factor the engineer
 * can be asked for. Where a reason is missing, too, the answer holds for the case that one is given and good.
 */
export function stepUp(policy: PolicySet | undefined, request: PolicyRequest, method = 'totp'): StepUp {
  if (decide(policy, request).allowed) return 'none';
  const hoped = withReason(policy, request);
  const allows = (changes: Partial<PolicyRequest>) =>
    decide(hoped.policy, { ...hoped.request, ...changes }).allowed;
  const mfa = { method, ageSeconds: 0 };
  const approval = approvedBy(request, maxApprovals);
  if (allows({})) return 'none';
  if (allows({ mfa })) return 'mfa';
  if (allows({ approval })) return 'approval';
  return allows({ mfa, approval }) ? 'mfa-and-approval' : 'none';
}

/** How many approvals in all the request needs where `stepUp` says that approval would help; 0 elsewhere. */
export function approvalsNeeded(
  policy: PolicySet | undefined,
  request: PolicyRequest,
  method = 'totp',
): number {
  const step = stepUp(policy, request, method);
  if (step !== 'approval' && step !== 'mfa-and-approval') return 0;
  const hoped = withReason(policy, request);
  const mfa = step === 'approval' ? request.mfa : { method, ageSeconds: 0 };
  for (let count = 1; count < maxApprovals; count += 1) {
    const asked = { ...hoped.request, approval: approvedBy(request, count), ...(mfa === undefined ? {} : { mfa }) };
    if (decide(hoped.policy, asked).allowed) return count;
  }
  return maxApprovals;
}

/**
 * Whether the answer is no and a reason might make it a yes. Which reasons a policy takes cannot be told beforehand: of the forbids that read
 * it, it is taken that a good one meets them.
 */
export function reasonMayHelp(policy: PolicySet | undefined, request: PolicyRequest): boolean {
  if (hasReason(request) || decide(policy, request).allowed) return false;
  const hoped = withReason(policy, request);
  return decide(hoped.policy, hoped.request).allowed;
}

function approvedBy({ approval }: PolicyRequest, count: number): PolicyRequest['approval'] {
  return { count: Math.max(count, approval?.count ?? 0), breakGlass: approval?.breakGlass ?? false };
}

function hasReason({ reason = '' }: PolicyRequest): boolean {
  return reason !== '';
}

/** The question as it would be with a reason that every forbid about reasons is content with. Never what anything is allowed by. */
function withReason(
  policy: PolicySet | undefined,
  request: PolicyRequest,
): { readonly policy: PolicySet | undefined; readonly request: PolicyRequest } {
  if (policy === undefined || hasReason(request)) return { policy, request };
  return { policy: contentWithReasons(policy), request: { ...request, reason: '?' } };
}

const content = new WeakMap<PolicySet, PolicySet>();

function contentWithReasons(policy: PolicySet): PolicySet {
  const known = content.get(policy);
  if (known !== undefined) return known;
  const policies = policy.policies.filter(
    ({ effect, names }) => effect === 'permit' || !(names.wholeContext || names.attributes.has('reason')),
  );
  const made =
    policies.length === policy.policies.length
      ? policy
      : { policies, version: `${policy.version} with a good reason` };
  content.set(policy, made);
  return made;
}
