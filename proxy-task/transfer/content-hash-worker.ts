import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { runInBackground } from '../background-thread.ts';
import type { HashAnswer, HashOrder } from './content-hash-message.ts';

/** Hashes files a block at a time, beside the relay: SHA-256 costs more than passing the bytes on. */
const hashes = new Map<number, Hash>();

runInBackground();
parentPort?.on('message', ({ block, segments, ends, drops }: HashOrder) => {
  const bytes = Buffer.from(block);
  for (const { file, start, end } of segments) hashOf(file).update(bytes.subarray(start, end));
  for (const file of drops) hashes.delete(file);
  const digests = ends.map((file) => ({ file, sha256: hashOf(file).digest('hex') }));
  for (const file of ends) hashes.delete(file);
  const answer: HashAnswer = { block, digests };
  parentPort?.postMessage(answer, [block]);
});

function hashOf(file: number): Hash {
  const known = hashes.get(file);
  if (known !== undefined) return known;
  const fresh = createHash('sha256');
  hashes.set(file, fresh);
  return fresh;
}
