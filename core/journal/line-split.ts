/** No record is near this long. */
export const maxLineBytes = 1 << 20;

/**
 * Lines without their line feeds. `unfinished` is called with the bytes after the last line feed, if there are any.
 * @throws at a line longer than `maxLineBytes`.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  unfinished: (bytes: Buffer) => void,
): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, from);
      const part = chunk.subarray(from, end === -1 ? chunk.length : end);
      if (restBytes + part.length > maxLineBytes)
        throw new Error(`a line is longer than ${maxLineBytes} bytes`);
      rest.push(Buffer.from(part));
      restBytes += part.length;
      if (end === -1) break;
      yield Buffer.concat(rest);
      rest = [];
      restBytes = 0;
      from = end + 1;
    }
  }
  if (restBytes > 0) unfinished(Buffer.concat(rest));
}

/** For files that must end with a line feed. */
export function refuseUnfinished(): never {
  throw new Error('the last line has no line feed: the end is missing');
}
