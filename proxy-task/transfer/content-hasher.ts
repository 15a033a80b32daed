import { createHash } from 'node:crypto';
import type { ContentHasher } from '#core/transfer';

export function createContentHasher(): ContentHasher {
  const hash = createHash('sha256');
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    digest: async () => hash.digest('hex'),
    discard: () => undefined,
  };
}
