import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { ControlStore } from '#core/contract';
import type { PoliciesInForce } from './policy-keeper.ts';
import type { Session } from './session.ts';

export type PolicyReviewOptions = {
  readonly policies: PoliciesInForce;
  /** Those there are when it begins; who comes later is asked by the policies of then. */
  readonly sessions: () => Iterable<Pick<Session, 'judgeAgain'>>;
  readonly control: Pick<ControlStore, 'list'>;
  readonly report: (line: string) => void;
  /** Nobody is asked any more. */
  readonly signal: AbortSignal;
  /** Until those of whom it could not be told are asked about again. */
  readonly retryMs?: number;
};

/** So many are asked before keystrokes have their turn again: a question takes a quarter of a millisecond. */
const batchSize = 2;
const defaultRetryMs = 1_000;

/** Asks for every session whether it may go on, whenever other policies have come into force, and when the function it returns is called. */
export function reviewSessions(options: PolicyReviewOptions): () => void {
  const { policies, report, signal, retryMs = defaultRetryMs } = options;
  let wanted = false;
  let reviewing = false;

  async function review(): Promise<void> {
    if (reviewing) return;
    reviewing = true;
    let lastFault = '';
    while (wanted && !signal.aborted) {
      wanted = false;
      const fault = await askAll(options);
      if (fault === undefined) continue;
      if (fault !== lastFault)
        report(
          `the policies have changed, and it cannot be told of every session whether it may go on (${fault}); those go on until it can`,
        );
      lastFault = fault;
      wanted = true;
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
    reviewing = false;
  }

  const begin = () => {
    wanted = true;
    void review();
  };
  policies.onChange(begin);
  return begin;
}

/** Why some could not be asked for; undefined where all were. */
async function askAll({ sessions, control, signal }: PolicyReviewOptions): Promise<string | undefined> {
  let listed: ReturnType<typeof listLive> | undefined;
  const live = () => (listed ??= listLive(control));
  const waiting = [...sessions()];
  let fault: string | undefined;
  while (waiting.length > 0 && !signal.aborted) {
    const outcomes = await Promise.allSettled(
      waiting.splice(-batchSize).map((session) => session.judgeAgain(live)),
    );
    for (const outcome of outcomes)
      if (outcome.status === 'rejected')
        fault = outcome.reason instanceof Error ? outcome.reason.message : 'unknown';
    await nextTurn();
  }
  return fault;
}

async function listLive(control: PolicyReviewOptions['control']) {
  return (await control.list('session')).map(({ data }) => data);
}
