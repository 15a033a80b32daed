import { BlobStoreError } from './blob-store-error.ts';

/** Names of files that are being written; no key has such a part. */
export const unfinishedPrefix = '.put-';

const maxKeyBytes = 1024;
const maxPartBytes = 255;

/**
 * The parts of a key, safe to join to a folder.
 * @throws BlobStoreError `invalid-key`
 */
export function keyParts(key: string): readonly string[] {
  if (!key.isWellFormed()) throw invalidKey(key, 'is not well-formed Unicode');
  if (Buffer.byteLength(key) > maxKeyBytes) throw invalidKey(key, `has over ${maxKeyBytes} bytes`);
  // Control characters would let a key forge lines in listings and logs; a backslash is a separator elsewhere.
  if (/[\p{Cc}\\]/u.test(key)) throw invalidKey(key, 'has a control character or a backslash');
  const parts = key.split('/');
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..') throw invalidKey(key, 'has an empty, "." or ".." part');
    if (Buffer.byteLength(part) > maxPartBytes)
      throw invalidKey(key, `has a part of over ${maxPartBytes} bytes`);
    if (part.startsWith(unfinishedPrefix))
      throw invalidKey(key, `has a part that begins with ${unfinishedPrefix}, which unfinished writes do`);
  }
  return parts;
}

function invalidKey(key: string, problem: string): BlobStoreError {
  const shown = JSON.stringify(key.length > 200 ? `${key.slice(0, 200)}...` : key);
  return new BlobStoreError('invalid-key', `the key ${shown} ${problem}`);
}
