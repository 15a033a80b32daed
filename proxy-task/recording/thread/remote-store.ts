import type { BlobKey, BlobStore } from '#core/contract';

/** What the thread wants of a store that only the gateway's own thread has. */
export type StoreCall =
  | { readonly kind: 'get'; readonly key: BlobKey }
  | { readonly kind: 'put'; readonly key: BlobKey; readonly bytes: Uint8Array };

export type StoreAnswer =
  | { readonly kind: 'got'; readonly bytes: Uint8Array | undefined }
  | { readonly kind: 'put'; readonly outcome: 'stored' | 'exists' }
  | { readonly kind: 'failed'; readonly reason: string };

export type ReachableStore = Pick<BlobStore, 'get' | 'putIfAbsent'>;

/** A store on the other side of a message port. One call at a time. */
export function createRemoteStore(
  ask: (call: StoreCall) => void,
): ReachableStore & { answer(answer: StoreAnswer): void } {
  let waiting: ((answer: StoreAnswer) => void) | undefined;

  async function called(call: StoreCall): Promise<StoreAnswer> {
    if (waiting !== undefined) throw new Error('the store was asked again before it had answered');
    const { promise, resolve } = Promise.withResolvers<StoreAnswer>();
    waiting = resolve;
    ask(call);
    const answer = await promise;
    if (answer.kind === 'failed') throw new Error(answer.reason);
    return answer;
  }

  return {
    async get(key) {
      const answer = await called({ kind: 'get', key });
      const bytes = answer.kind === 'got' ? answer.bytes : undefined;
      return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    async putIfAbsent(key, bytes) {
      const answer = await called({ kind: 'put', key, bytes });
      return answer.kind === 'put' ? answer.outcome : 'exists';
    },
    answer(answer) {
      const resolve = waiting;
      waiting = undefined;
      resolve?.(answer);
    },
  };
}

/** The other side: what the store says. */
export async function answerCall(store: ReachableStore, call: StoreCall): Promise<StoreAnswer> {
  try {
    if (call.kind === 'get') return { kind: 'got', bytes: await store.get(call.key) };
    return { kind: 'put', outcome: await store.putIfAbsent(call.key, call.bytes) };
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}
