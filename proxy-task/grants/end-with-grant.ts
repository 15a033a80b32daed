import type { Transport } from '#ssh';
import { whenEnded } from '#ssh';
import type { Session } from '../session.ts';
import type { SessionAccess } from '../session-access.ts';

/** A grant that was ended is noticed after so long; the end of its time at once. */
const lookEveryMs = 5_000;
const leastMs = 20;

/**
 * Ends a session when the grant it leans on is over, by time or because somebody ended it. Where the store cannot be read, what was read
 * last counts until its time is over.
 */
export function endWithGrant(options: {
  readonly session: Pick<Session, 'stop'>;
  readonly access: SessionAccess;
  readonly transport: Transport;
  readonly now: () => number;
  readonly report: (line: string) => void;
}): void {
  const { session, access, transport, now, report } = options;
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  whenEnded(transport, () => {
    over = true;
    clearTimeout(timer);
  });

  function waitOn(): void {
    if (over) return;
    const leftMs = (access.leansOn?.untilMs ?? 0) - now();
    timer = setTimeout(() => void look(), leftMs > 0 ? Math.min(lookEveryMs, leftMs + leastMs) : lookEveryMs);
  }

  async function look(): Promise<void> {
    try {
      if (!(await access.stillGranted())) {
        stop();
        return;
      }
    } catch (error) {
      report(`grants cannot be read: ${error instanceof Error ? error.message : 'unknown'}`);
      if ((access.leansOn?.untilMs ?? 0) <= now()) {
        stop();
        return;
      }
    }
    waitOn();
  }

  function stop(): void {
    session.stop({
      endReason: 'PolicyWithdrawn',
      message: `the access that ${access.leansOn?.requestId ?? 'a request'} gave is over; ask for it again`,
    });
  }

  if (access.leansOn === undefined) access.onLean = waitOn;
  else waitOn();
}
