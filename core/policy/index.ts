export type { Decision } from './decide.ts';
export { approvalsNeeded, decide, stepUp } from './decide.ts';
export { decideCommand, judgesCommands } from './decide-command.ts';
export { explain } from './explain.ts';
export type { PolicySet } from './load-policy.ts';
export { loadPolicy } from './load-policy.ts';
export type {
  Approval,
  CommandAction,
  ForwardDestination,
  PolicyAction,
  PolicyRequest,
} from './policy-request.ts';
export { commandAction, policyActionNames } from './policy-request.ts';
export { readsFiles } from './reads-files.ts';
export { policySchema } from './schema-text.ts';
export { unknownNames } from './unknown-names.ts';
