import { createHash } from 'node:crypto';
import type { Finding } from '#core/contract';

/** Names of hand-overs; drawn once. */
const namespace = Buffer.from('6f0d2c1e5b7a4f0e9d3c8a41b2e67f95', 'hex');

/**
 * The token of one try to hand a finding over: the same try has the same token, so that it starts one execution however often it
 * is asked for, and a later try of a finding that nobody finished has another. RFC 9562 §5.5.
 */
export function clientToken({ runbookId, key, foundAtMs, handedOverMs }: Finding): string {
  const name = JSON.stringify([runbookId, key, foundAtMs, handedOverMs ?? 0]);
  const bytes = createHash('sha1').update(namespace).update(name, 'utf8').digest().subarray(0, 16);
  bytes[6] = 0x50 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
