import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createInflateRaw, gzip } from 'node:zlib';

/** RFC 1952 §2.3: deflate, no flags, no time, no name, unknown system. Always the same, so that a changed one is seen. */
const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
const trailerBytes = 8;
const chunkBytes = 64 << 10;

/** One gzip member. */
export async function gzipMember(bytes: Uint8Array): Promise<Buffer> {
  const member = await promisify(gzip)(bytes);
  header.copy(member);
  return member;
}

/**
 * The content of a file that is one gzip member as `gzipMember` makes it, and nothing besides. Chunk by chunk, so that
 * a small file that unpacks to a great one does no harm. Closes the file.
 */
export async function* gunzipFile(file: FileHandle): AsyncGenerator<Buffer> {
  try {
    const { size } = await file.stat();
    const deflateEnd = size - trailerBytes;
    if (deflateEnd <= header.length) throw new Error('gzip: the file is too short');
    if (!(await readExactly(file, 0, header.length)).equals(header))
      throw new Error('gzip: the header was changed');
    yield* inflateRange(file, header.length, deflateEnd);
  } finally {
    await file.close();
  }
}

async function* inflateRange(file: FileHandle, start: number, end: number): AsyncGenerator<Buffer> {
  const input = Readable.from(fileChunks(file, start, end));
  const inflate = createInflateRaw();
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
  if (inflate.bytesWritten !== end - start) throw new Error('gzip: bytes follow the compressed data');
  const trailer = await readExactly(file, end, trailerBytes);
  if (trailer.readUInt32LE(0) !== crc || trailer.readUInt32LE(4) !== length % 2 ** 32)
    throw new Error('gzip: the checksum or length does not fit the content');
}

/** The bytes from `start` up to `end`, or to the end of the file. Leaves the file open. */
export async function* fileChunks(file: FileHandle, start: number, end: number): AsyncGenerator<Buffer> {
  for (let position = start; position < end; ) {
    const length = Math.min(chunkBytes, end - position);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead !== length) throw new Error('gzip: the file became shorter while it was read');
  return buffer;
}
