export type { Decision } from './decide.ts';
export { decide, stepUp } from './decide.ts';
export { explain } from './explain.ts';
export type { PolicySet } from './load-policy.ts';
export { loadPolicy } from './load-policy.ts';
export type { PolicyAction, PolicyRequest } from './policy-request.ts';
export { policyActionNames } from './policy-request.ts';
export { policySchema } from './schema-text.ts';
export { unknownNames } from './unknown-names.ts';
