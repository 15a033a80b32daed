export type AgentErrorCode =
  /** No agent answers there. */
  | 'unreachable'
  /** The agent answered no. */
  | 'refused'
  /** What came is no answer of an agent. */
  | 'protocol';

/** An ssh-agent that did not do what it was asked. Never holds a key. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
