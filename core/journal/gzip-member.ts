import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createInflateRaw, gzip } from 'node:zlib';

/** Where the bytes of a gzip member are. */
export type MemberBytes = {
  readonly size: number;
  /** The bytes from `start` up to `end`. */
  read(start: number, end: number): AsyncIterable<Buffer>;
};

/** RFC 1952 §2.3: deflate, no flags, no time, no name, unknown system. Always the same, so that a changed one is seen. */
const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
const trailerBytes = 8;
/** Of what comes out at a time; less costs a turn more often. */
const inflatedChunkBytes = 256 << 10;

/** One gzip member. */
export async function gzipMember(bytes: Uint8Array): Promise<Buffer> {
  const member = await promisify(gzip)(bytes);
  header.copy(member);
  return member;
}

/**
 * The content of what is one gzip member as `gzipMember` makes it, and nothing besides. Chunk by chunk, so that a small
 * one that unpacks to a great one does no harm.
 */
export async function* gunzipMember(member: MemberBytes): AsyncGenerator<Buffer> {
  const deflateEnd = member.size - trailerBytes;
  if (deflateEnd <= header.length) throw new Error('gzip: the file is too short');
  if (!(await readExactly(member, 0, header.length)).equals(header))
    throw new Error('gzip: the header was changed');
  const input = Readable.from(member.read(header.length, deflateEnd));
  const inflate = createInflateRaw({ chunkSize: inflatedChunkBytes });
  input.once('error', (error) => inflate.destroy(error));
  input.pipe(inflate);
  let crc = 0;
  let length = 0;
  try {
    for await (const chunk of inflate) {
      crc = crc32(chunk, crc);
      length += chunk.length;
      yield chunk;
    }
  } finally {
    input.destroy();
  }
  if (inflate.bytesWritten !== deflateEnd - header.length)
    throw new Error('gzip: bytes follow the compressed data');
  const trailer = await readExactly(member, deflateEnd, trailerBytes);
  if (trailer.readUInt32LE(0) !== crc || trailer.readUInt32LE(4) !== length % 2 ** 32)
    throw new Error('gzip: the checksum or length does not fit the content');
}

/** A member that is in memory. */
export function memberOf(bytes: Buffer): MemberBytes {
  return {
    size: bytes.length,
    async *read(start, end) {
      yield bytes.subarray(start, end);
    },
  };
}

async function readExactly(member: MemberBytes, start: number, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of member.read(start, start + length)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  if (bytes.length !== length) throw new Error('gzip: the file became shorter while it was read');
  return bytes;
}
