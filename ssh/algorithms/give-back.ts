/** Below this the collector is cheaper than detaching. */
const worthwhileBytes = 4096;

/**
 * Gives the memory of a cipher's output back at once; `bytes` is empty afterwards. Node allocates each output outside V8's heap: left
 * to the collector, those of a bulk transfer cost several full collections a second.
 */
export function giveBack(bytes: Buffer): void {
  const { buffer } = bytes;
  if (bytes.length < worthwhileBytes || bytes.length !== buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
