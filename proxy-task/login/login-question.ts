import type { InfoRequest } from '#ssh';
import type { ProvenEngineer } from './engineer-authenticator.ts';

/**
 * Something an engineer whose key is proved may have to answer before the login goes on, by keyboard-interactive (RFC 4256), which
 * stock clients show by themselves. What was asked and answered is on record before the next step is given.
 */
export type LoginQuestion = {
  /** Undefined where this engineer has nothing to answer, or where no answer would help. */
  of(engineer: ProvenEngineer): Promise<LoginDialogue | undefined>;
};

export type LoginDialogue = {
  begin(): Promise<LoginStep>;
  /** As many responses as the last request had prompts; a request may have none, to say something or to wait. */
  answer(responses: readonly string[]): Promise<LoginStep>;
};

export type LoginStep =
  | { readonly kind: 'ask'; readonly request: InfoRequest }
  /** With what is proved or known of them now. */
  | { readonly kind: 'answered'; readonly engineer: ProvenEngineer }
  /** Counts as a failed attempt; with a message, which the engineer is shown, the connection ends. */
  | { readonly kind: 'refused'; readonly message?: string };
