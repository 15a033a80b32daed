export type {
  DataVerdict,
  HeldVerdict,
  Relay,
  RelayChannel,
  RelayEnd,
  RelayGates,
  RelayLimits,
  RelayTaps,
  Verdict,
} from './contract.ts';
export { createRelay } from './relay.ts';
export { RelayError, type RelayErrorCode } from './relay-error.ts';
