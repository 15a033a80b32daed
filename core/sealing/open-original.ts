import type { KeyObject } from 'node:crypto';
import { chunkBytes, contentKey, magic, openChunk, suiteOf, tagBytes } from './sealed-format.ts';
import { SealingError } from './sealing-error.ts';
import { sealingKey, sealingKeyOf, suites } from './sealing-key.ts';

/** Decrypts what `sealOriginal` made. Gives out only what was proved; that it is whole is proved by `final` alone. */
export type OriginalOpener = {
  /** @throws SealingError `not-sealed`, `bad-key`, `damaged` */
  update(bytes: Uint8Array): Buffer;
  /** @throws SealingError `not-sealed`, `damaged`, `truncated` */
  final(): Buffer;
};

const sealedChunkBytes = chunkBytes + tagBytes;
const damaged =
  'the sealed original cannot be opened; it was changed, or sealed to another key or for another recording';

/**
 * @param options.privateKey X25519 or P-256
 * @param options.context as it was given at sealing
 * @throws SealingError `bad-key`
 */
export function openOriginal(options: {
  readonly privateKey: KeyObject;
  readonly context: string;
}): OriginalOpener {
  const recipient = sealingKeyOf(options.privateKey);
  const headerBytes = magic.length + 1 + suites[recipient.suite].publicKeyBytes;
  let held = Buffer.alloc(0);
  let key: Buffer | undefined;
  let number = 0;

  const readHeader = (): Buffer | undefined => {
    const known = Math.min(held.length, magic.length);
    if (!held.subarray(0, known).equals(magic.subarray(0, known)))
      throw new SealingError('not-sealed', 'that is no sealed original; name the file that ends in .sealed');
    if (held.length <= magic.length) return undefined;
    const suite = suiteOf(held[magic.length] ?? 0);
    if (suite !== recipient.suite)
      throw new SealingError(
        'bad-key',
        `this was not sealed to a key of ${recipient.suite}; use the other key`,
      );
    if (held.length < headerBytes) return undefined;
    const header = held.subarray(0, headerBytes);
    const ephemeral = sealingKey(suite, Buffer.from(header.subarray(magic.length + 1)));
    held = held.subarray(headerBytes);
    return contentKey(options.privateKey, ephemeral, { header, recipient, context: options.context });
  };
  const open = (sealed: Buffer, isLast: boolean): Buffer => {
    const chunk = key === undefined ? undefined : openChunk(key, number, isLast, sealed);
    if (chunk === undefined) throw new SealingError('damaged', damaged);
    number += 1;
    return chunk;
  };
  return {
    update: (bytes) => {
      held = Buffer.concat([held, bytes]);
      key ??= readHeader();
      if (key === undefined) return Buffer.alloc(0);
      const opened: Buffer[] = [];
      // The last chunk is never followed by a byte, so one that is full waits for what comes.
      while (held.length > sealedChunkBytes) {
        opened.push(open(held.subarray(0, sealedChunkBytes), false));
        held = held.subarray(sealedChunkBytes);
      }
      return Buffer.concat(opened);
    },
    final: () => {
      if (key === undefined)
        throw new SealingError('truncated', 'the sealed original ends in its header; fetch it again');
      const last = openChunk(key, number, true, held);
      if (last === undefined && (held.length < tagBytes || openChunk(key, number, false, held) !== undefined))
        throw new SealingError('truncated', 'the sealed original ends too early; fetch it again');
      if (last === undefined || (last.length === 0 && number > 0)) throw new SealingError('damaged', damaged);
      return last;
    },
  };
}
