export { drainGateway } from './drain.ts';
export { type Gateway, startGateway } from './gateway.ts';
export { accessSettings, limitsOf } from './gateway-limits.ts';
export type { GatewayParts, GatewaySettings } from './gateway-parts.ts';
export { onUncaughtFault } from './last-resort.ts';
export { createIdentityDirectory } from './login/identity-directory.ts';
export { createRecorder, indexRecordings, openSpool, recoverRecordings } from './recording/index.ts';
export { serveAsWorker, superviseWorkers, tellSupervisor } from './workers/index.ts';
