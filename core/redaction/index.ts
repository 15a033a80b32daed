export { defaultRules } from './default-rules.ts';
export {
  createRecordingRedactor,
  type HoldLimits,
  type RecordingRedactor,
  type RecordingRedactorOptions,
  type Redacted,
  type StreamName,
} from './recording-redactor.ts';
export { type RedactedText, redactText } from './redact-text.ts';
export { RedactionError } from './redaction-error.ts';
export { compileRule, type RedactionRule, type RuleProblem } from './rule.ts';
export { compileRules, isOwnRuleId, type RuleSet } from './rule-set.ts';
export { createValueMemory, type ValueMemory } from './value-memory.ts';
