import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';

const packetBytes = 32 * 1024;
const gibibyte = 1024 ** 3;
const length = Buffer.alloc(4);
const nonce = randomBytes(12);

/**
 * CPU seconds for a GiB that is decrypted and encrypted again in packets of 32 KiB with AES-128-GCM by node:crypto, and nothing else: what
 * this machine, as busy as it is now, charges a relay for its ciphers alone. Output is let go of at once, so that no garbage counts.
 */
export function cipherSecondsPerGib(packets = 2000): number {
  const key = createSecretKey(randomBytes(16));
  const incoming = seal(key, Buffer.alloc(packetBytes));
  for (let packet = 0; packet < 200; packet += 1) passOn(key, incoming);
  const before = process.cpuUsage();
  for (let packet = 0; packet < packets; packet += 1) passOn(key, incoming);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / 1e6 / (packets * packetBytes)) * gibibyte;
}

type Sealed = { readonly bytes: Buffer<ArrayBuffer>; readonly tag: Buffer };

function passOn(key: KeyObject, { bytes, tag }: Sealed): void {
  const decipher = createDecipheriv('aes-128-gcm', key, nonce);
  decipher.setAAD(length);
  const plain = decipher.update(bytes);
  decipher.setAuthTag(tag);
  decipher.final();
  seal(key, plain).bytes.buffer.transfer(0);
  plain.buffer.transfer(0);
}

function seal(key: KeyObject, plain: Uint8Array): Sealed {
  const cipher = createCipheriv('aes-128-gcm', key, nonce);
  cipher.setAAD(length);
  const bytes = cipher.update(plain);
  cipher.final();
  return { bytes, tag: cipher.getAuthTag() };
}
