export { type Agent, agentAt } from './agent-client.ts';
export { AgentError, type AgentErrorCode } from './agent-error.ts';
