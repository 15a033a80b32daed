import { decide } from './decide.ts';
import type { PolicySet } from './load-policy.ts';
import type { PolicyRequest } from './policy-request.ts';

/** What to ask the engineer, or others, for; a closed list. */
export type StepUp = 'none' | 'mfa' | 'approval' | 'mfa-and-approval';

/** More people than these are not looked for. */
const maxApprovals = 5;

/**
 * The least that would turn a no into a yes: a second factor proved now, the approval of others, or both. `method` is the factor the engineer
 * can be asked for. Where a reason is missing, too, the answer holds for the case that one is given and good.
 */
export function stepUp(policy: PolicySet | undefined, request: PolicyRequest, method = 'totp'): StepUp {
  if (decide(policy, request).allowed) return 'none';
  const hoped = withReason(policy, request);
  if (decide(hoped.policy, hoped.request).allowed) return 'none';
  const proved = { ...request, mfa: { method, ageSeconds: 0 } };
  if (decide(hoped.policy, { ...hoped.request, mfa: proved.mfa }).allowed) return 'mfa';
  if (approvalsNeeded(policy, request) !== undefined) return 'approval';
  return approvalsNeeded(policy, proved) === undefined ? 'none' : 'mfa-and-approval';
}

/** By how many people in all the request would have to be approved; undefined where no number of them would help. */
export function approvalsNeeded(policy: PolicySet | undefined, request: PolicyRequest): number | undefined {
  const hoped = withReason(policy, request);
  const { count: given = 0, breakGlass = false } = request.approval ?? {};
  for (let count = Math.max(1, given); count <= maxApprovals; count += 1)
    if (decide(hoped.policy, { ...hoped.request, approval: { count, breakGlass } }).allowed) return count;
  return undefined;
}

/** Whether break-glass would turn a no into a yes: by itself, or together with a second factor proved now. */
export function breakGlassHelp(
  policy: PolicySet | undefined,
  request: PolicyRequest,
): 'none' | 'alone' | 'with-mfa' {
  if (decide(policy, request).allowed) return 'none';
  const hoped = withReason(policy, request);
  const taken = { ...hoped.request, approval: { count: request.approval?.count ?? 0, breakGlass: true } };
  if (decide(hoped.policy, taken).allowed) return 'alone';
  const proved = { ...taken, mfa: { method: 'totp', ageSeconds: 0 } };
  return decide(hoped.policy, proved).allowed ? 'with-mfa' : 'none';
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
