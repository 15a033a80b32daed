export type { ActionExecutor } from './action-executor.ts';
export { createActionExecutor } from './action-executor.ts';
export { answerStep } from './approve-step.ts';
export { compileRunbook } from './compile-runbook.ts';
export type { Decision } from './decide-actions.ts';
export { durationMs } from './duration.ts';
export type { ParsedRunbook, RunbookProblem } from './parse-runbook.ts';
export { parseRunbook } from './parse-runbook.ts';
export type { ResponseOptions, ResponseReport } from './respond-to-finding.ts';
export { respondToFinding } from './respond-to-finding.ts';
export type { FindingReport, HandOver, RunOptions, RunReport } from './run-runbook.ts';
export { runRunbook } from './run-runbook.ts';
export type { InputValue, Runbook, Trigger } from './runbook.ts';

export { runbookJsonSchema } from './runbook-file.ts';
export type { MakeTestEngine, RunbookTestResult } from './test-runbook.ts';
export { testRunbook } from './test-runbook.ts';
export { isDue, matchesEvent, runWindow, type TriggeringEvent } from './trigger.ts';
