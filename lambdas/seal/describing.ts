import { gunzipSync } from 'node:zlib';
import type { BlobKey, BlobStore } from '#core/contract';
import { type DescribedSegment, DigestError, describeSegment } from '#core/digest';

/** What a segment unpacks to at most; far more than one has. */
const maxContentBytes = 64 << 20;

/** The store as if it had these objects alone; what is read of them is described, so that it is what was verified that is signed. */
export function describing(
  evidence: BlobStore,
  keys: readonly BlobKey[],
): { readonly store: BlobStore; readonly described: (key: BlobKey) => DescribedSegment } {
  const read = new Map<BlobKey, DescribedSegment>();
  return {
    store: {
      putIfAbsent: (key, bytes) => evidence.putIfAbsent(key, bytes),
      async get(key) {
        const bytes = await evidence.get(key);
        const segment = bytes && describe(key, bytes);
        if (segment !== undefined) read.set(key, segment);
        return bytes;
      },
      getRange: (key, offset, length) => evidence.getRange(key, offset, length),
      async *list(prefix) {
        for (const key of keys) if (key.startsWith(prefix)) yield { key, size: 0 };
      },
    },
    described(key) {
      const segment = read.get(key);
      if (segment !== undefined) return segment;
      throw new DigestError(
        'out-of-order',
        `${key} was not read whole, so it is not signed; verify the lake`,
      );
    },
  };
}

/** Undefined where it is damaged: verification says how. */
function describe(key: BlobKey, stored: Buffer): DescribedSegment | undefined {
  try {
    return describeSegment(key, gunzipSync(stored, { maxOutputLength: maxContentBytes }), stored);
  } catch {
    return undefined;
  }
}
