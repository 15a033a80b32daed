import { setTimeout as sleep } from 'node:timers/promises';
import type { Gateway } from './gateway.ts';

export type DrainOptions = {
  readonly reason: string;
  /** What sessions get to end by themselves; 0 tells and waits for nobody. */
  readonly graceMs: number;
  /** Aborted when nobody wants to wait any more. */
  readonly hurry?: AbortSignal;
  readonly now: () => number;
};

/** How often a gateway that drains looks whether it is done. */
const lookMs = 100;

/** Takes no more connections, tells the engineers, and settles when no session is left or their time is over. */
export async function drainGateway(
  gateway: Gateway,
  { reason, graceMs, hurry, now }: DrainOptions,
): Promise<void> {
  gateway.stopAccepting();
  if (graceMs === 0) return;
  gateway.notice(`${reason}: this session ends within ${Math.ceil(graceMs / 1000)} seconds; connect again`);
  const deadlineMs = now() + graceMs;
  const goesOn = () => gateway.sessionCount > 0 && now() < deadlineMs && hurry?.aborted !== true;
  // Workers say how many they have a moment after they were asked.
  do await sleep(lookMs);
  while (goesOn());
}
