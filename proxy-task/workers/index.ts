export { policiesFromSupervisor } from './supervised-policies.ts';
export { type SupervisorOptions, superviseWorkers } from './supervisor.ts';
export { serveAsWorker, tellSupervisor } from './worker.ts';
