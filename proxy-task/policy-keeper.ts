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

/** The policies that count, whoever looks after them. */
export type PoliciesInForce<InForce = PolicySet | undefined> = {
  /** Undefined denies everything. */
  readonly current: () => InForce;
  /** Called whenever others have come into force. */
  onChange(listener: () => void): void;
};

export type KeptPolicies = PoliciesInForce<PolicySet> & {
  /** They stay as they are from here on. */
  close(): Promise<void>;
};

export type PolicyKeeper = KeptPolicies & {
  /** Why what stands there now is not in force; undefined where it is. */
  readonly problem: () => string | undefined;
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
  const listeners: (() => void)[] = [];
  let current = options.initial;
  let lastFault = '';
  let unusable: string | undefined;
  let waiting: { readonly read: ReadPolicies; readonly policy: PolicySet } | undefined;

  async function look(): Promise<void> {
    const read = await sources.readChanged();
    if (read !== undefined) judge(read);
    if (waiting !== undefined) await takeUp(waiting);
    lastFault = '';
  }

  function judge(read: ReadPolicies): void {
    const loaded = loadPolicy(read.sources);
    const wasUnusable = unusable !== undefined;
    unusable = loaded.ok ? undefined : problemLines(loaded.problems);
    waiting =
      loaded.ok && loaded.policy.version !== current.version ? { read, policy: loaded.policy } : undefined;
    if (!loaded.ok)
      report(`the policies have changed and cannot be used, so the ones before stay:\n${unusable}`);
    else if (wasUnusable && waiting === undefined)
      report('the policies can be used again, and are those in force');
  }

  /** What could not be put on record is tried again at the next look. */
  async function takeUp({ read, policy }: NonNullable<typeof waiting>): Promise<void> {
    await options.journal.record(
      putPolicy(options.proxy, options.now(), {
        by: await read.writtenBy(),
        files: read.sources.map(({ file }) => file),
        sha256: policy.version,
        previousSha256: current.version,
        ...comparePolicies(current, policy),
      }),
    );
    waiting = undefined;
    current = policy;
    for (const listener of listeners) listener();
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
        if (fault !== lastFault)
          report(`the policies cannot be read and put on record, so the ones in force stay: ${fault}`);
        lastFault = fault;
      }
    }
  }

  const keeping = keep();
  return {
    current: () => current,
    onChange: (listener) => void listeners.push(listener),
    problem: () => (lastFault === '' ? unusable : lastFault),
    async close() {
      stopped.abort();
      await keeping;
    },
  };
}
