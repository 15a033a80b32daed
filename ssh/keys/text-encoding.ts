/** Strict RFC 4648 §4 base64; `undefined` where the text is anything else. node:buffer alone skips what it cannot read. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : undefined;
}
