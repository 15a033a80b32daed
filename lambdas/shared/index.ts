export { type ApiIdentity, answering, apiIdentity, bodyOf, errorResponse, jsonResponse } from './api.ts';
export { type ClaimOptions, claimFinding, type FindingClaim, settleFinding } from './claim-finding.ts';
export { createInvocationClients } from './clients.ts';
export { closing } from './closing.ts';
export { FunctionError } from './function-error.ts';
export {
  type Invocation,
  type InvocationClients,
  type InvocationStores,
  openInvocation,
  startInvocation,
} from './invocation.ts';
export { listOf } from './list-of.ts';
export { createLog, errorText, type Log, metricLine, writeLine } from './log.ts';
export { type Count, createCount } from './metrics.ts';
export { type MfaOfCaller, mfaOf } from './mfa-of.ts';
export { readRegion } from './region.ts';
export { readRunbooks, runbooksFolder } from './runbook-files.ts';
export { readRunbookSettings, settingOf } from './runbook-settings.ts';
