export type { Decision, DenyReason, StepUp } from './decide.ts';
export { decide, stepUp } from './decide.ts';
export { explain } from './explain.ts';
export type { LoadedPolicy, PolicyProblem, PolicySet, PolicySource } from './load-policy.ts';
export { loadPolicy } from './load-policy.ts';
export type { ForwardDestination, PolicyAction, PolicyRequest, ProvenMfa } from './policy-request.ts';
export { policyActionNames } from './policy-request.ts';
export { policySchema } from './schema-text.ts';
export { unknownNames } from './unknown-names.ts';
