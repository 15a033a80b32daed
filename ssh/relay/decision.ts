import type { Verdict } from './contract.ts';
import type { Leg } from './leg.ts';
import { RelayError } from './relay-error.ts';

/** The relay as its parts see it. */
export interface Overseer {
  /** The relay is ending: nothing may be passed any more. */
  readonly isOver: boolean;
  /** Ends the relay for an error met while a message of `leg` was handled. Does not throw. */
  fail(leg: Leg, cause: unknown): void;
}

/**
 * Asks a gate about a message of `leg` and acts on its verdict: at once where the gate answers at once, else the leg
 * delivers nothing until it has. Meanwhile the other leg goes on, so `apply` looks again at what it acts on; it is not
 * called once the relay is over.
 *
 * @throws RelayError where the gate throws, and whatever `apply` throws; later than that, errors go to the overseer.
 */
export function decide(
  leg: Leg,
  overseer: Overseer,
  ask: () => Verdict | Promise<Verdict>,
  apply: (verdict: Verdict) => void,
): void {
  const verdict = askGate(ask);
  if (!(verdict instanceof Promise)) {
    apply(verdict);
    return;
  }
  leg.hold();
  // Owned here: every outcome is applied or ends the relay, and nothing rejects.
  void applyLater(leg, overseer, verdict, apply);
}

async function applyLater(
  leg: Leg,
  overseer: Overseer,
  pending: Promise<Verdict>,
  apply: (verdict: Verdict) => void,
): Promise<void> {
  try {
    const verdict = await settled(pending);
    if (!overseer.isOver) apply(verdict);
  } catch (cause) {
    overseer.fail(leg, cause);
  } finally {
    leg.release();
  }
}

/** @throws RelayError where the gate's promise is rejected */
export async function settled<Decided>(pending: Promise<Decided>): Promise<Decided> {
  try {
    return await pending;
  } catch (cause) {
    throw gateFailure(cause);
  }
}

function askGate(ask: () => Verdict | Promise<Verdict>): Verdict | Promise<Verdict> {
  try {
    return ask();
  } catch (cause) {
    throw gateFailure(cause);
  }
}

function gateFailure(cause: unknown): RelayError {
  return new RelayError('gate-failed', 'the gateway could not decide about a request', undefined, { cause });
}
