import { type Decision, decide } from './decide.ts';
import { decideCommand } from './decide-command.ts';
import type { PolicySet } from './load-policy.ts';
import { commandAction, type PolicyAction, type PolicyRequest } from './policy-request.ts';

/** The answer to one question as the gateway gives it: of a command, also what it plainly runs is looked at. */
export function answer(policy: PolicySet | undefined, request: PolicyRequest): Decision {
  const { action } = request;
  return action.kind === 'command' ? decideCommand(policy, { ...request, action }) : decide(policy, request);
}

/** All that the gateway asks until this is reached, in its order: the first no, or the last yes. */
export function firstDenied(
  policy: PolicySet | undefined,
  request: PolicyRequest,
): { readonly request: PolicyRequest; readonly decision: Decision } {
  for (const action of actionsBefore(request.action)) {
    const earlier = { ...request, action };
    const decision = answer(policy, earlier);
    if (!decision.allowed) return { request: earlier, decision };
  }
  const decision = answer(policy, request);
  if (request.action.kind !== 'exec' || !decision.allowed) return { request, decision };
  // What ssh is given to run is asked about as a command, too.
  const command = { ...request, action: commandAction('command', request.action.command) };
  const ofCommand = answer(policy, command);
  return ofCommand.allowed ? { request, decision } : { request: command, decision: ofCommand };
}

function actionsBefore({ kind }: PolicyAction): readonly PolicyAction[] {
  switch (kind) {
    case 'connect':
    case 'approve':
    case 'revoke':
    case 'viewRecording':
    case 'query':
    case 'export':
      return [];
    default:
      return [{ kind: 'connect' }];
  }
}
