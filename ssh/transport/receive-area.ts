const HEADROOM_BYTES = 512 * 1024;
const READ_BYTES = 256 * 1024;

// One area for every socket: read callbacks are synchronous and nothing keeps a view of it beyond them.
const area = Buffer.allocUnsafeSlow(HEADROOM_BYTES + READ_BYTES);

/** Where sockets read to. */
export const readArea = area.subarray(HEADROOM_BYTES);

/** Copies `prefix` in front of a chunk that lies in the read area; undefined where the chunk lies elsewhere or the prefix is too long. */
export function joinedInPlace(prefix: Buffer, chunk: Buffer): Buffer | undefined {
  const start = chunk.byteOffset - area.byteOffset - prefix.length;
  if (chunk.buffer !== area.buffer || start < 0) return undefined;
  prefix.copy(area, start);
  return area.subarray(start, start + prefix.length + chunk.length);
}
