import type { FileHandle } from 'node:fs/promises';
import { gunzipMember } from '#core/journal';

const chunkBytes = 64 << 10;

/** The content of a file that is one gzip member, and nothing besides. Closes the file. */
export async function* gunzipFile(file: FileHandle): AsyncGenerator<Buffer> {
  try {
    const { size } = await file.stat();
    yield* gunzipMember({ size, read: (start, end) => fileChunks(file, start, end) });
  } finally {
    await file.close();
  }
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
