export { drainGateway } from './drain.ts';
export { type Gateway, startGateway } from './gateway.ts';
export { accessSettings, limitsOf } from './gateway-limits.ts';
export type { GatewayParts, GatewaySettings } from './gateway-parts.ts';
export { onUncaughtFault } from './last-resort.ts';
export { createIdentityDirectory } from './login/identity-directory.ts';
export { createTotpFactor } from './login/second-factor.ts';
export {
  type KeptPolicies,
  keepPolicy,
  type PoliciesInForce,
  type PolicyKeeper,
  type PolicySources,
  type ReadPolicies,
} from './policy-keeper.ts';
export { createRecorder, indexRecordings, openSpool, recoverRecordings } from './recording/index.ts';
export type { TargetCredential } from './target-credential.ts';
export { policiesFromSupervisor, serveAsWorker, superviseWorkers, tellSupervisor } from './workers/index.ts';
