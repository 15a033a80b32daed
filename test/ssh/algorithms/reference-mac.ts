import { createCipheriv } from 'node:crypto';

/** Poly1305 as RFC 8439 §2.5 defines it, number by number. */
export function poly1305(key: Buffer, data: Buffer): Buffer {
  const prime = 2n ** 130n - 5n;
  const r = littleEndian(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let start = 0; start < data.length; start += 16) {
    const block = Buffer.concat([data.subarray(start, start + 16), Buffer.from([1])]);
    sum = ((sum + littleEndian(block)) * r) % prime;
  }
  const tag = (sum + littleEndian(key.subarray(16))) % 2n ** 128n;
  return Buffer.from(Buffer.from(tag.toString(16).padStart(32, '0'), 'hex').toReversed());
}

/** The tag of AES-GCM as NIST SP 800-38D §7.1 defines it, bit by bit, for an IV of 96 bits. */
export function ghash(input: {
  readonly key: Buffer;
  readonly iv: Buffer;
  readonly additional: Buffer;
  readonly sealed: Buffer;
}): Buffer {
  const encrypt = (block: Buffer) => {
    const cipher = createCipheriv(`aes-${input.key.length * 8}-ecb`, input.key, null);
    return bigEndian(cipher.update(block));
  };
  const subkey = encrypt(Buffer.alloc(16));
  const lengths = Buffer.alloc(16);
  lengths.writeUInt32BE(input.additional.length * 8, 4);
  lengths.writeUInt32BE(input.sealed.length * 8, 12);
  let sum = 0n;
  for (const part of [input.additional, input.sealed, lengths]) {
    for (let start = 0; start < part.length; start += 16) {
      const block = Buffer.alloc(16);
      part.copy(block, 0, start, start + 16);
      sum = timesInGcmField(sum ^ bigEndian(block), subkey);
    }
  }
  const tag = sum ^ encrypt(Buffer.concat([input.iv, Buffer.from([0, 0, 0, 1])]));
  return Buffer.from(tag.toString(16).padStart(32, '0'), 'hex');
}

function timesInGcmField(left: bigint, right: bigint): bigint {
  let product = 0n;
  let shifted = right;
  for (let bit = 127n; bit >= 0n; bit -= 1n) {
    if (((left >> bit) & 1n) === 1n) product ^= shifted;
    shifted = (shifted & 1n) === 1n ? (shifted >> 1n) ^ (0xe1n << 120n) : shifted >> 1n;
  }
  return product;
}

function littleEndian(bytes: Buffer): bigint {
  return bigEndian(Buffer.from(bytes.toReversed()));
}

function bigEndian(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex') || '0'}`);
}
