import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** Writes `length` bytes that do not compress and are the same each time; returns their SHA-256 in hex. */
export async function pseudoRandomFile(path: string, length: number): Promise<string> {
  const keystream = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  const zeros = Buffer.alloc(1_048_576);
  const hash = createHash('sha256');
  const file = createWriteStream(path);
  for (let written = 0; written < length; written += zeros.length) {
    const block = keystream.update(zeros.subarray(0, Math.min(zeros.length, length - written)));
    hash.update(block);
    if (!file.write(block)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
  return hash.digest('hex');
}

export async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1_048_576 }), hash);
  return hash.digest('hex');
}
