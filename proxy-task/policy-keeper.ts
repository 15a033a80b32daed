import { setTimeout as sleep } from 'node:timers/promises';
import type { Journal } from '#core/contract';
import { type ProxyFacts, putPolicy } from '#core/event';
import { comparePolicies, loadPolicy, type PolicySet, type PolicySource, problemLines } from '#core/policy';

/** Where policies are kept, looked at again and again. */
export type PolicySources = {
  /** What stands there, where that is not what it was at the last call; undefined where it is the same. Rejects where it cannot be read. */
  readChanged(): Promise<ReadPolicies | undefined>;
};

export type ReadPolicies = {
  readonly sources: readonly PolicySource[];
  /** Who wrote it, as far as that can be told. Called only where the policies are others than before. */
  writtenBy(): Promise<string>;
};

export type PolicyKeeper = {
  /** Those in force. */
  readonly current: () => PolicySet;
  close(): Promise<void>;
};

export type PolicyKeeperOptions = {
  readonly initial: PolicySet;
  readonly sources: PolicySources;
  readonly everyMs: number;
  readonly proxy: ProxyFacts;
  readonly journal: Pick<Journal, 'record'>;
  readonly now: () => number;
  readonly report: (line: string) => void;
};

/**
 * Puts policies that changed in force, once that is on record. Those that cannot be used are reported, and the good ones stay; a session
 * is judged by whatever is in force when it asks.
 */
export function keepPolicy(options: PolicyKeeperOptions): PolicyKeeper {
  const { sources, everyMs, report } = options;
  const stopped = new AbortController();
  let current = options.initial;
  let lastFault = '';

  async function look(): Promise<void> {
    const read = await sources.readChanged();
    lastFault = '';
    if (read === undefined) return;
    const loaded = loadPolicy(read.sources);
    if (!loaded.ok) {
      report(
        `the policies have changed and cannot be used, so the ones before stay:\n${problemLines(loaded.problems)}`,
      );
      return;
    }
    if (loaded.policy.version === current.version) return;
    await options.journal.record(
      putPolicy(options.proxy, options.now(), {
        by: await read.writtenBy(),
        files: read.sources.map(({ file }) => file),
        sha256: loaded.policy.version,
        previousSha256: current.version,
        ...comparePolicies(current, loaded.policy),
      }),
    );
    current = loaded.policy;
    report(`new policies are in force: ${current.policies.length}, version ${current.version.slice(0, 12)}`);
  }

  async function keep(): Promise<void> {
    while (!stopped.signal.aborted) {
      await sleep(everyMs, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined);
      if (stopped.signal.aborted) return;
      try {
        await look();
      } catch (error) {
        const fault = error instanceof Error ? error.message : 'unknown';
        // Said once, however often it is tried.
        if (fault !== lastFault) report(`the policies cannot be read, so the ones in force stay: ${fault}`);
        lastFault = fault;
      }
    }
  }

  const keeping = keep();
  return {
    current: () => current,
    async close() {
      stopped.abort();
      await keeping;
    },
  };
}
