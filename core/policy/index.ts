export { comparePolicies, type PolicyDifference } from './compare-policies.ts';
export type { Decision } from './decide.ts';
export { decide } from './decide.ts';
export { decideCommand, judgesCommands } from './decide-command.ts';
export { durationText, explain, explanationText } from './explain.ts';
export type { PolicyProblem, PolicySet, PolicySource } from './load-policy.ts';
export { loadPolicy } from './load-policy.ts';
export type { CommandAction, ForwardDestination, PolicyAction, PolicyRequest } from './policy-request.ts';
export { commandAction, policyActionNames } from './policy-request.ts';
export {
  type PolicyTable,
  type PolicyTestResult,
  parsePolicyTable,
  runPolicyTable,
} from './policy-table.ts';
export { problemLines } from './problem-lines.ts';
export { answer } from './questions.ts';
export { policySchema } from './schema-text.ts';
export { rulesOf, type SessionRules, strictestRules } from './session-rules.ts';
export { reasonMayHelp, type StepUp, stepUp } from './step-up.ts';
export { unknownNames } from './unknown-names.ts';
export { readsFiles, readsSessionCount } from './what-is-read.ts';
export { type KnownNames, readRequest, type WrittenRequest, writtenRequest } from './written-request.ts';
