import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 64 * 1024;
const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let used = POOL_BYTES;

/** Fills `out[start .. end)` with random bytes, each used once; drawn 64 KiB at a time because a draw costs a microsecond whatever its size. */
export function fillRandom(out: Buffer, start: number, end: number): void {
  const length = end - start;
  if (used + length > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  pool.copy(out, start, used, used + length);
  used += length;
}
