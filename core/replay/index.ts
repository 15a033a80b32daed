export { ReplayError, type ReplayErrorCode } from './replay-error.ts';
export { createTerminalState, type EmulatedTerminal } from './terminal-state.ts';
