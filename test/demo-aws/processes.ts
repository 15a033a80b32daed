import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const lookEveryMs = 100;

/** Asks until there is something, or fails with what the context says. */
export async function until<Found>(
  what: string,
  deadlineMs: number,
  look: () => Promise<Found | undefined> | Found | undefined,
  context: () => string = () => '',
): Promise<Found> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`not within ${deadlineMs / 1000} s: ${what}\n${context()}`);
    await sleep(lookEveryMs);
  }
}

export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  child.kill(signal);
  await gone;
}

export function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}
