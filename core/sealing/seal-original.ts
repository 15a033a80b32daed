import { chunkBytes, contentKey, sealChunk, sealedHeader } from './sealed-format.ts';
import { privateKeyFrom, type SealingKey, sealingKeyOf } from './sealing-key.ts';

/** Encrypts a stream so that only the holder of another key can read it. Keeps less than two chunks in memory. */
export type OriginalSealer = {
  /** What was sealed so far and not given out before; the header is in the first. */
  update(bytes: Uint8Array): Buffer;
  final(): Buffer;
};

/**
 * @param options.context what this is the original of, such as the recording's id; opening needs the same
 * @param options.randomBytes gives as many bytes as asked for that nobody can foresee
 * @throws SealingError `bad-key`, `bad-randomness`
 */
export function sealOriginal(options: {
  readonly recipient: SealingKey;
  readonly context: string;
  readonly randomBytes: (size: number) => Uint8Array;
}): OriginalSealer {
  const { recipient, context } = options;
  const privateKey = privateKeyFrom(recipient.suite, options.randomBytes(32));
  const header = sealedHeader(sealingKeyOf(privateKey));
  const key = contentKey(privateKey, recipient, { header, recipient, context });
  const waiting = Buffer.alloc(chunkBytes);
  let length = 0;
  let number = 0;
  let given = [header];

  const take = (): Buffer => {
    const whole = Buffer.concat(given);
    given = [];
    return whole;
  };
  return {
    update: (bytes) => {
      for (let from = 0; from < bytes.length; ) {
        // A full chunk waits until it is known not to be the last.
        if (length === chunkBytes) {
          given.push(sealChunk(key, number, false, waiting));
          number += 1;
          length = 0;
        }
        const part = bytes.subarray(from, from + chunkBytes - length);
        waiting.set(part, length);
        length += part.length;
        from += part.length;
      }
      return take();
    },
    final: () => {
      given.push(sealChunk(key, number, true, waiting.subarray(0, length)));
      waiting.fill(0);
      key.fill(0);
      return take();
    },
  };
}
