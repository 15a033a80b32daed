import { gunzipSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gunzipMember, gzipMember, memberOf } from '#core/journal';

async function content(bytes: Buffer): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(gunzipMember(memberOf(bytes))));
}

describe('a gzip member', () => {
  test('gives back what was put in, here and with any other program', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), async (bytes) => {
        const member = await gzipMember(bytes);

        expect(await content(member)).toEqual(Buffer.from(bytes));
        expect(gunzipSync(member)).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 50 },
    );
  });

  test('is the same for the same content', async () => {
    expect(await gzipMember(Buffer.from('a'))).toEqual(await gzipMember(Buffer.from('a')));
  });

  test('with any bit changed is refused, or has the same content', async () => {
    const bytes = Buffer.from('{"eventName":"StartSession"}\n'.repeat(3));
    const member = await gzipMember(bytes);
    for (let bit = 0; bit < member.length * 8; bit += 1) {
      const changed = Buffer.from(member);
      changed.writeUInt8((changed[bit >> 3] ?? 0) ^ (1 << (bit & 7)), bit >> 3);

      const found = await content(changed).catch(() => bytes);

      expect(found).toEqual(bytes);
    }
  });

  test('with something behind it, or cut, or of random bytes, is refused', async () => {
    const member = await gzipMember(Buffer.from('records\n'));
    for (const bytes of [
      Buffer.concat([member, member]),
      Buffer.concat([member, gzipSync('x')]),
      Buffer.concat([member, Buffer.from([0])]),
      ...Array.from({ length: member.length }, (_, length) => member.subarray(0, length)),
    ])
      await expect(content(bytes)).rejects.toBeInstanceOf(Error);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        await expect(content(Buffer.from(bytes))).rejects.toBeInstanceOf(Error);
      }),
    );
  });
});
