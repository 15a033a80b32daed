import { type StatefulAuthorizationCall, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { printable } from '../wording/index.ts';
import { type Evaluation, knownEvaluation } from './evaluation-memory.ts';
import type { PolicySet } from './load-policy.ts';
import {
  actionGroup,
  contextOf,
  entitiesOf,
  idInQuestion,
  type PolicyRequest,
  resourceType,
} from './policy-request.ts';
import { sliceFor } from './policy-slice.ts';

/** Why the answer is no; a closed list. */
type DenyReason = 'no-policy-allows' | 'forbidden-by-policy' | 'policy-unavailable' | 'evaluation-error';

export type Decision =
  /** `policyIds` are the policies that permit it. */
  | { readonly allowed: true; readonly policyIds: readonly string[] }
  | {
      readonly allowed: false;
      readonly reason: DenyReason;
      /** The policies that forbid it or could not be evaluated. */
      readonly policyIds: readonly string[];
      /** One sentence for the engineer, fit for a terminal. */
      readonly message: string;
    };

/**
 * Allowed only when a policy permits it, none forbids it, and none that covers it failed. No policy (undefined), a request
 * the schema does not know and every fault deny.
 */
export function decide(policy: PolicySet | undefined, request: PolicyRequest): Decision {
  if (policy === undefined)
    return denied('policy-unavailable', [], 'no policy could be read, so that nothing is allowed');
  const group = actionGroup(request.action.kind);
  if (group === undefined)
    return denied('evaluation-error', [], `there is no action "${printable(request.action.kind)}"`);
  const slice = sliceFor(policy, request);
  if (slice === undefined)
    return denied('policy-unavailable', [], 'the policies could not be parsed, so that nothing is allowed');
  const answer = evaluate(slice, group, request);
  if (answer === undefined)
    return denied('evaluation-error', [], `the policies could not be asked whether ${wish(request, 'may')}`);
  return toDecision(policy, request, answer);
}

/** Undefined when Cedar refuses the request as such, e.g. because the source address is none. */
function evaluate(
  slice: NonNullable<ReturnType<typeof sliceFor>>,
  group: string,
  request: PolicyRequest,
): Evaluation | undefined {
  if (!Number.isFinite(new Date(request.nowMs).getTime())) return undefined;
  const resource = resourceType(request.action);
  const question = {
    principal: { type: 'User', id: idInQuestion('User', request.identity.name, slice.read) },
    action: { type: 'Action', id: request.action.kind },
    resource: { type: resource, id: idInQuestion(resource, request.target.name, slice.read) },
    context: contextOf(request, slice.read),
    entities: entitiesOf(request, group, slice.read),
  };
  return knownEvaluation(slice.serial, question, () => askCedar(slice.cedarName, question));
}

function askCedar(
  cedarName: string,
  question: Omit<StatefulAuthorizationCall, 'preparsedPolicySetId' | 'validateRequest'>,
): Evaluation | undefined {
  const answer = statefulIsAuthorized({
    ...question,
    preparsedPolicySetId: cedarName,
    validateRequest: false,
  });
  if (answer.type === 'failure') return undefined;
  const { decision, diagnostics } = answer.response;
  return {
    allow: decision === 'allow',
    determining: [...diagnostics.reason].sort(),
    failed: diagnostics.errors.map((error) => error.policyId).sort(),
  };
}

function toDecision(policy: PolicySet, request: PolicyRequest, answer: Evaluation): Decision {
  if (answer.failed.length > 0)
    return denied(
      'evaluation-error',
      answer.failed,
      `policy "${answer.failed.join('", "')}" failed, so that it cannot be told whether ${wish(request, 'may')}`,
    );
  if (answer.allow) return { allowed: true, policyIds: answer.determining };
  if (answer.determining.length === 0)
    return denied('no-policy-allows', [], `no policy allows that ${wish(request, '')}`);
  const advice = policy.policies
    .filter((candidate) => answer.determining.includes(candidate.id))
    .flatMap((candidate) => candidate.advice ?? []);
  return denied(
    'forbidden-by-policy',
    answer.determining,
    [`policy "${answer.determining.join('", "')}" forbids that ${wish(request, '')}`, ...advice].join('; '),
  );
}

function denied(reason: DenyReason, policyIds: readonly string[], message: string): Decision {
  return { allowed: false, reason, policyIds, message: printable(message) };
}

/** `alice may open a shell as root on web-1`. Without what the engineer sent beyond the login: a command may hold a secret. */
export function wish(request: PolicyRequest, verb: string): string {
  const { action, identity, login, target } = request;
  const [does, infinitive] = deeds[action.kind];
  return printable(
    `${identity.name} ${verb === '' ? does : `${verb} ${infinitive}`}${placeOf(action, login, target.name)}`,
  );
}

function placeOf(action: PolicyRequest['action'], login: string, target: string): string {
  if (resourceType(action) === 'System') return action.kind === 'revoke' ? ' on any target' : '';
  return action.kind === 'revoke' && login === '' ? ` on ${target}` : ` as ${login} on ${target}`;
}

const deeds: Readonly<Record<PolicyRequest['action']['kind'], readonly [does: string, infinitive: string]>> =
  {
    connect: ['connects', 'connect'],
    shell: ['opens a shell', 'open a shell'],
    exec: ['runs this command', 'run this command'],
    command: ['runs this command', 'run this command'],
    subsystem: ['uses this subsystem', 'use this subsystem'],
    upload: ['sends files', 'send files'],
    download: ['fetches files', 'fetch files'],
    forwardLocal: ['forwards to this destination', 'forward to this destination'],
    forwardRemote: ['listens for forwards there', 'listen for forwards there'],
    forwardAgent: ['forwards an agent', 'forward an agent'],
    forwardX11: ['forwards X11', 'forward X11'],
    approve: ['approves access', 'approve access'],
    revoke: ['ends the session of somebody', 'end the session of somebody'],
    viewRecording: ['plays recordings', 'play recordings'],
    query: ['queries the audit trail', 'query the audit trail'],
    export: ['exports evidence', 'export evidence'],
  };
