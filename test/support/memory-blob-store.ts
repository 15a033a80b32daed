import type { BlobStore } from '../../core/contract/index.ts';

/** A store that also says what was read of it. */
export type MemoryBlobStore = BlobStore & {
  readonly blobs: Map<string, Buffer>;
  readonly reads: string[];
};

export function createMemoryBlobStore(): MemoryBlobStore {
  const blobs = new Map<string, Buffer>();
  const reads: string[] = [];
  return {
    blobs,
    reads,
    async putIfAbsent(key, bytes) {
      if (blobs.has(key)) return 'exists';
      blobs.set(key, Buffer.from(bytes));
      return 'stored';
    },
    async get(key) {
      reads.push(key);
      return blobs.get(key);
    },
    async getRange(key, offset, length) {
      return blobs.get(key)?.subarray(offset, offset + length);
    },
    async *list(prefix) {
      for (const key of [...blobs.keys()].sort())
        if (key.startsWith(prefix)) yield { key, size: blobs.get(key)?.length ?? 0 };
    },
  };
}
