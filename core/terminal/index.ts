export { type ExchangeEvent, type ExchangeReading, parseExchangeLine, readExchange } from './exchange.ts';
export { openTerminal, type Terminal, type TerminalOptions } from './open-terminal.ts';
export type {
  CommandAmended,
  CommandConfidence,
  CommandKind,
  CommandSeen,
  HiddenInput,
  PendingLine,
  TerminalListener,
} from './terminal-events.ts';
