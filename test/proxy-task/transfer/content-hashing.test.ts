import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { createContentHashing } from '../../../proxy-task/transfer/index.ts';

const hashing = createContentHashing();

afterAll(() => hashing.close());

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

describe('hashes of files that pass at the same time', () => {
  test('are those of their bytes, however they come', async () => {
    const write = fc.record({ file: fc.nat(3), length: fc.nat(400_000), fill: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 12 }), async (writes) => {
        const files = [0, 1, 2, 3].map(() => ({ hasher: hashing.start(), content: [] as Buffer[] }));
        const shared = Buffer.alloc(400_000);

        for (const { file, length, fill } of writes) {
          const bytes = shared.subarray(0, length).fill(fill);
          files[file]?.hasher.update(bytes);
          files[file]?.content.push(Buffer.from(bytes));
          // The memory is another packet's next.
          shared.fill(0);
        }

        const digests = await Promise.all(files.map(({ hasher }) => hasher.digest()));
        expect(digests).toEqual(files.map(({ content }) => sha256(Buffer.concat(content))));
      }),
      { numRuns: 25 },
    );
  });

  test('are there for one file while others are given up', async () => {
    const kept = hashing.start();
    kept.update(Buffer.from('hello '));

    for (let index = 0; index < 10_000; index += 1) {
      const other = hashing.start();
      other.update(Buffer.from('x'));
      other.discard();
    }
    kept.update(Buffer.from('world'));

    expect(await kept.digest()).toBe(sha256(Buffer.from('hello world')));
  });

  test('make their senders wait when the thread is behind, and let them go on', async () => {
    const file = hashing.start();
    const block = Buffer.alloc(1_048_576, 7);
    let sent = 0;

    while (hashing.room() === undefined && sent < 1000) {
      file.update(block);
      sent += 1;
    }
    await hashing.room();

    expect(sent).toBeLessThan(1000);
    expect(await file.digest()).toBe(sha256(Buffer.alloc(sent * block.length, 7)));
  });

  test('are lost with the thread, and those of later files are not', async () => {
    const own = createContentHashing();
    const lost = own.start();
    lost.update(Buffer.from('x'));
    const waiting = lost.digest();
    const open = own.start();

    await own.close();
    open.update(Buffer.from('x'));
    const later = own.start();
    later.update(Buffer.from('y'));

    expect([await waiting, await open.digest(), await later.digest()]).toEqual([
      undefined,
      undefined,
      sha256(Buffer.from('y')),
    ]);
    await own.close();
  });
});
