import { generateKeyPairSync, sign } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { BlobStore, Signer } from '#core/contract';
import { streamName } from '#core/contract';
import { type DescribedSegment, DigestStream, type DigestStreamOptions, describeSegment } from '#core/digest';
import { executeCommand } from '#core/event';
import { chainLines } from '../chain/sample-chain.ts';
import { atMs, sessionFacts } from '../event/sample-facts.ts';

export const stream = streamName('gateway');

/** A new key, of either kind that digests may be signed by. */
export function newSigner(algorithm: Signer['algorithm'] = 'ed25519'): Signer {
  const { privateKey, publicKey } =
    algorithm === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    algorithm,
    publicKeySpki: publicKey.export({ type: 'spki', format: 'der' }),
    sign: async (message) => sign(algorithm === 'ed25519' ? null : 'sha256', message, privateKey),
  };
}

/** Segments of as many records each as said, one chain. */
export function segments(...sizes: readonly number[]): readonly DescribedSegment[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const lines = chainLines(
    Array.from({ length: total }, (_, index) =>
      executeCommand(sessionFacts, atMs, { command: `echo ${index}`, commandSource: 'exec' }),
    ),
  );
  let from = 0;
  return sizes.map((size) => {
    const content = Buffer.from(
      lines
        .slice(from, from + size)
        .map((line) => `${line.toString()}\n`)
        .join(''),
    );
    from += size;
    return describeSegment(`events/dt=2026-11-20/gateway/${from}.ndjson.gz`, content, gzipSync(content));
  });
}

export type MemoryBlobs = Pick<BlobStore, 'putIfAbsent' | 'get'> & {
  readonly objects: Map<string, Buffer>;
  /** Loses the answer to the next put, which is stored all the same. */
  loseNextAnswer(): void;
};

export function memoryBlobs(): MemoryBlobs {
  const objects = new Map<string, Buffer>();
  let losing = false;
  return {
    objects,
    loseNextAnswer() {
      losing = true;
    },
    async putIfAbsent(key, bytes) {
      const exists = objects.has(key);
      if (!exists) objects.set(key, Buffer.from(bytes));
      if (losing) {
        losing = false;
        throw new Error('the answer was lost');
      }
      return exists ? 'exists' : 'stored';
    },
    get: async (key) => objects.get(key),
  };
}

export function sampleOptions(blobs: DigestStreamOptions['blobs']): Omit<DigestStreamOptions, 'head'> {
  return {
    blobs,
    stream,
    signer: newSigner(),
    now: () => atMs + 300_000,
    dueAfterMs: 900_000,
    others: async () => [],
    startMs: atMs,
  };
}

export function digestStream(
  blobs: DigestStreamOptions['blobs'],
  options: Partial<DigestStreamOptions> = {},
): DigestStream {
  return new DigestStream({ ...sampleOptions(blobs), head: undefined, ...options });
}
