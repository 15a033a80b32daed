/** What moved since the last report. */
export type SessionUsage = {
  /** Bytes of channels, from the engineer's side. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly seconds: number;
  /** When the engineer's side last sent anything; undefined where it sent nothing in that time. */
  readonly lastInputAtMs: number | undefined;
};

export type UsageMeter = {
  moved(from: 'client' | 'target', bytes: number): void;
  /** No report comes after it: the end of the session has the sums. */
  end(): void;
};

const reportEveryMs = 60_000;

/** Tells once a minute what a session moved. One in which nothing moves has no timer. */
export function createUsageMeter(options: {
  readonly now: () => number;
  readonly report: (usage: SessionUsage) => void;
}): UsageMeter {
  const { now } = options;
  let bytesIn = 0;
  let bytesOut = 0;
  let sinceMs = 0;
  let lastInputAtMs: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;

  function tell(): void {
    timer = undefined;
    const usage = { bytesIn, bytesOut, seconds: (now() - sinceMs) / 1000, lastInputAtMs };
    bytesIn = 0;
    bytesOut = 0;
    lastInputAtMs = undefined;
    options.report(usage);
  }

  return {
    moved(from, bytes) {
      if (ended) return;
      if (timer === undefined) {
        sinceMs = now();
        timer = setTimeout(tell, reportEveryMs).unref();
      }
      if (from === 'target') bytesOut += bytes;
      else {
        bytesIn += bytes;
        lastInputAtMs = now();
      }
    },
    end() {
      ended = true;
      clearTimeout(timer);
    },
  };
}
