import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobStore, ControlKind, ControlStore } from '#core/contract';
import { readControlItem, type StoredControlItem, writableControlItem } from '#core/control';
import type { StreamStores } from '../../../../adapters/aws/journal/object-journal.ts';

/** Two buckets and a table in memory, which outlive whoever uses them. */
export type MemoryStores = {
  readonly journal: Map<string, Buffer>;
  readonly evidence: Map<string, Buffer>;
  readonly control: Map<string, StoredControlItem & { readonly kind: ControlKind }>;
};

/** One call: `journal.put`, `evidence.list`, `control.put writer`. */
export type Call = { readonly name: string; readonly key: string };

/** What happens around the calls of one user of the stores. Throwing before loses the call, after it loses the answer. */
export type Around = {
  readonly before?: (call: Call) => void | Promise<void>;
  readonly after?: (call: Call) => void | Promise<void>;
};

export function memoryStores(): MemoryStores {
  return { journal: new Map(), evidence: new Map(), control: new Map() };
}

export function storesOver(memory: MemoryStores, around: Around = {}): StreamStores {
  const call = async <Result>(name: string, key: string, work: () => Result): Promise<Result> => {
    // As over a network, the answer comes in a later turn.
    await nextTurn();
    await around.before?.({ name, key });
    const result = work();
    await around.after?.({ name, key });
    return result;
  };
  return {
    journal: blobsOver(memory.journal, (name, key, work) => call(`journal.${name}`, key, work)),
    evidence: blobsOver(memory.evidence, (name, key, work) => call(`evidence.${name}`, key, work)),
    remover: {
      remove: (keys) =>
        call('journal.remove', keys.join(' '), () => {
          for (const key of keys) memory.journal.delete(key);
        }),
    },
    control: controlOver(memory.control, (name, key, work) => call(`control.${name}`, key, work)),
  };
}

type Run = <Result>(name: string, key: string, work: () => Result) => Promise<Result>;

function blobsOver(objects: Map<string, Buffer>, run: Run): BlobStore {
  return {
    putIfAbsent: (key, bytes) =>
      run('put', key, () => {
        if (objects.has(key)) return 'exists';
        objects.set(key, Buffer.from(bytes));
        return 'stored';
      }),
    get: (key) => run('get', key, () => objects.get(key)),
    getRange: (key, offset, length) =>
      run('range', key, () => objects.get(key)?.subarray(offset, offset + length)),
    async *list(prefix) {
      const keys = await run('list', prefix, () =>
        [...objects.keys()].filter((key) => key.startsWith(prefix)).sort(),
      );
      for (const key of keys) yield { key, size: objects.get(key)?.length ?? 0 };
    },
  };
}

function controlOver(items: MemoryStores['control'], run: Run): ControlStore {
  const name = (kind: ControlKind, id: string) => `${kind} ${id}`;
  return {
    get: (kind, id) =>
      run('get', name(kind, id), () => {
        const item = items.get(name(kind, id));
        return item === undefined ? undefined : readControlItem(kind, item);
      }),
    list: (kind) =>
      run('list', kind, () =>
        [...items.values()].filter((item) => item.kind === kind).map((item) => readControlItem(kind, item)),
      ),
    put: (kind, id, data, condition, expiresAtMs) =>
      run('put', name(kind, id), () => {
        const there = items.get(name(kind, id));
        if (condition.kind === 'absent' && there !== undefined) return undefined;
        if (condition.kind === 'version' && there?.version !== condition.version) return undefined;
        const version = (there?.version ?? 0) + 1;
        items.set(name(kind, id), { ...writableControlItem(kind, id, data, expiresAtMs), version });
        return version;
      }),
    delete: (kind, id) => run('delete', name(kind, id), () => items.delete(name(kind, id))),
    watch: () => undefined,
    close: async () => undefined,
  };
}

/** Everything fails from the n-th call on; that one takes effect where only its answer is lost. */
export function killedAt(n: number, when: 'before' | 'after'): Around & { calls(): number } {
  let calls = 0;
  const killed = () => new Error('killed');
  return {
    calls: () => calls,
    before() {
      calls += 1;
      if (calls > n || (calls === n && when === 'before')) throw killed();
    },
    after() {
      if (calls >= n) throw killed();
    },
  };
}

/** Each call takes a few turns, as many as the seed says. */
export function jittered(seed: number): Around {
  let state = seed * 2_654_435_761 + 1;
  const pause = async () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    for (let turn = state % 4; turn > 0; turn -= 1) await nextTurn();
  };
  return { before: pause, after: pause };
}
