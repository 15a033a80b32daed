import { randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JournalError } from '#adapters/local';
import type { DataDirectory } from './data-directory.ts';
import type { Serving } from './serving.ts';

export type RecoveryOptions = {
  readonly data: DataDirectory;
  readonly report: (line: string) => void;
  /** Starts anew, where the one before stopped; completes what that left open. */
  readonly again: () => Promise<Serving>;
};

export type KeptServing = {
  readonly current: Serving;
  close(reason: string): Promise<void>;
};

/** How often it is tried whether the disk takes writes again. */
const retryMs = 2_000;
/** What must fit: the ends of the sessions that were cut, and room to go on. */
const neededBytes = 4 << 20;

/**
 * When the audit trail cannot be written, its sessions end and nobody gets in. This waits until the disk takes writes, and starts anew,
 * which first puts the ends on record that could not be written.
 */
export function keepServing(first: Serving, options: RecoveryOptions): KeptServing {
  const { report } = options;
  const stopped = new AbortController();
  let current = first;
  /** Whether `current` was closed in order to start anew, and nothing runs. */
  let between = false;

  async function keep(): Promise<void> {
    for (;;) {
      const failure = await Promise.race([current.running.auditFailure, aborted(stopped.signal)]);
      if (failure === undefined) return;
      report('nobody gets in until the audit trail can be written; this is tried every 2 s');
      await writable(options.data, stopped.signal);
      if (stopped.signal.aborted) return;
      await closeFailed(current, report);
      between = true;
      await startAgain();
    }
  }

  async function startAgain(): Promise<void> {
    while (!stopped.signal.aborted) {
      try {
        current = await options.again();
        between = false;
        report('the audit trail is written again, and the gateway lets in who may');
        return;
      } catch (error) {
        report(`the gateway could not be started again: ${reasonOf(error)}; next try in 2 s`);
        await pause(stopped.signal);
      }
    }
  }

  const keeping = keep();
  return {
    get current() {
      return current;
    },
    async close(reason) {
      stopped.abort();
      await keeping;
      if (!between) await current.close(reason);
    },
  };
}

/** Returns when a file of some size can be written and synced, or when it is stopped. */
async function writable(data: DataDirectory, stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    await pause(stopped);
    if (await takesWrites(data)) return;
  }
}

async function takesWrites(data: DataDirectory): Promise<boolean> {
  const probe = join(data.root, `.probe-${randomBytes(8).toString('hex')}`);
  try {
    const file = await open(probe, 'wx', 0o600);
    try {
      await file.writeFile(Buffer.alloc(neededBytes));
      await file.datasync();
      return true;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  } finally {
    await rm(probe, { force: true });
  }
}

/** Its stop cannot be put on record any more; the next start does. */
async function closeFailed(serving: Serving, report: (line: string) => void): Promise<void> {
  try {
    await serving.close('the audit trail cannot be written');
  } catch (error) {
    if (!(error instanceof JournalError)) report(`while stopping: ${reasonOf(error)}`);
  }
}

async function pause(stopped: AbortSignal): Promise<void> {
  await sleep(retryMs, undefined, { signal: stopped }).catch(() => undefined);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
