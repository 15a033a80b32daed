import { commandParts } from './command-parts.ts';
import { type Decision, decide } from './decide.ts';
import type { PolicySet } from './load-policy.ts';
import { type CommandAction, commandAction, type PolicyRequest } from './policy-request.ts';
import { coveringPolicies } from './policy-slice.ts';

/**
 * Whether a command may run: the whole of it must be permitted, and what it plainly runs must not be forbidden either, so that
 * `true; sudo reboot` is what a rule against `reboot` is about. A part needs no permit of its own.
 */
export function decideCommand(
  policy: PolicySet | undefined,
  request: PolicyRequest & { readonly action: CommandAction },
): Decision {
  const whole = decide(policy, request);
  if (!whole.allowed || policy === undefined) return whole;
  const { kind, command } = request.action;
  if (!coveringPolicies(policy, request).some(readsCommand)) return whole;
  for (const part of commandParts(command)) {
    const decision = decide(policy, { ...request, action: commandAction(kind, part) });
    if (!decision.allowed && decision.reason !== 'no-policy-allows') return decision;
  }
  return whole;
}

/**
 * Whether single commands have to be judged where a shell was permitted: some policy about `command` that may cover the request reads what
 * the command is, or is not as much about `shell`: a forbid, or a permit under a condition. What cannot be told counts as yes.
 */
export function judgesCommands(policy: PolicySet | undefined, request: PolicyRequest): boolean {
  if (policy === undefined) return true;
  const ofShell = new Set(coveringPolicies(policy, { ...request, action: { kind: 'shell' } }));
  return coveringPolicies(policy, { ...request, action: commandAction('command', '') }).some(
    (each) =>
      readsCommand(each) ||
      (!ofShell.has(each) && (each.effect === 'forbid' || each.cedar.conditions.length > 0)),
  );
}

function readsCommand({ names }: ReturnType<typeof coveringPolicies>[number]): boolean {
  return (
    names.wholeContext || ['command', 'program', 'privileged'].some((name) => names.attributes.has(name))
  );
}
