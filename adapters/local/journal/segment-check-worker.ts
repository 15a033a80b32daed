import { hash } from 'node:crypto';
import { isMainThread, parentPort } from 'node:worker_threads';
import { z } from 'zod';
import { gunzipMember, memberOf } from '#core/journal';
import { checkSegment } from '#core/verify';
import { openForReading } from './confined-files.ts';
import type { CheckedFile } from './segment-checkers.ts';

const requestShape = z.object({
  id: z.number(),
  path: z.string(),
  stream: z.string(),
  firstSeq: z.number(),
  date: z.string(),
});

/** Larger ones are read piece by piece, elsewhere. */
const maxStoredBytes = 32 << 20;
const maxContentBytes = 64 << 20;

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  port.on('message', (message: unknown) => {
    const { id, ...file } = requestShape.parse(message);
    checkFile(file).then(
      (checked) => port.postMessage({ id, checked }),
      // What is wrong with the file is found, and told, by whoever reads its lines.
      () => port.postMessage({ id, checked: undefined }),
    );
  });
}

/** A segment's file, whole and at once. */
async function checkFile({ path, ...place }: Omit<z.infer<typeof requestShape>, 'id'>): Promise<CheckedFile> {
  const file = await openForReading(path);
  let stored: Buffer;
  try {
    const { size } = await file.stat();
    if (size > maxStoredBytes) return { stored: undefined, sound: undefined };
    stored = await file.readFile();
  } finally {
    await file.close();
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of gunzipMember(memberOf(stored))) {
    length += chunk.length;
    if (length > maxContentBytes) return { stored: undefined, sound: undefined };
    chunks.push(chunk);
  }
  return {
    stored: { bytes: stored.length, sha256: hash('sha256', stored, 'hex') },
    sound: checkSegment(Buffer.concat(chunks, length), place),
  };
}
