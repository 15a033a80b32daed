import { MAX_PACKET_LENGTH } from './transport-limits.ts';

/** Takes the largest packet with its framing. */
export const OUTPUT_BUFFER_BYTES = MAX_PACKET_LENGTH + 4096;

const MAX_FREE = 32;
const free: Buffer[] = [];

export function takeOutputBuffer(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(OUTPUT_BUFFER_BYTES);
}

export function returnOutputBuffer(buffer: Buffer): void {
  if (free.length < MAX_FREE) free.push(buffer);
}
