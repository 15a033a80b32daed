import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlobStore } from '../../core/contract/index.ts';

async function keys(store: BlobStore, prefix: string): Promise<readonly string[]> {
  return (await Array.fromAsync(store.list(prefix))).map((entry) => entry.key);
}

/** What every BlobStore does. `create` gives a store that is empty. */
export function blobStoreConformance(name: string, create: () => Promise<BlobStore>): void {
  describe(`${name} as a BlobStore`, () => {
    it('gives back what was put', async () => {
      const store = await create();
      const bytes = Buffer.from([0, 255, 10, 13]);

      expect(await store.putIfAbsent('a/b/c.bin', bytes)).toBe('stored');

      expect(await store.get('a/b/c.bin')).toEqual(bytes);
    });

    it('knows nothing of keys nobody put, of folders, and of keys below objects', async () => {
      const store = await create();
      await store.putIfAbsent('a/b', Buffer.from('x'));

      for (const key of ['a', 'b', 'a/b/c', 'a/c']) {
        expect(await store.get(key)).toBeUndefined();
        expect(await store.getRange(key, 0, 1)).toBeUndefined();
      }
    });

    it('never replaces', async () => {
      const store = await create();
      await store.putIfAbsent('key', Buffer.from('first'));

      expect(await store.putIfAbsent('key', Buffer.from('second'))).toBe('exists');

      expect((await store.get('key'))?.toString()).toBe('first');
    });

    it('lets exactly one of racing writers store, and shows its bytes', async () => {
      const store = await create();
      const writers = Array.from({ length: 20 }, (_, index) => Buffer.from(`writer ${index}`));

      const outcomes = await Promise.all(writers.map((bytes) => store.putIfAbsent('deep/er/key', bytes)));

      expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(1);
      expect(await store.get('deep/er/key')).toEqual(writers[outcomes.indexOf('stored')]);
      expect(await keys(store, '')).toEqual(['deep/er/key']);
    });

    it('keeps empty objects', async () => {
      const store = await create();

      await store.putIfAbsent('empty', Buffer.alloc(0));

      expect(await store.get('empty')).toEqual(Buffer.alloc(0));
      expect(await store.getRange('empty', 0, 10)).toEqual(Buffer.alloc(0));
    });

    it('keeps what it was given though the caller reuses the buffer afterwards', async () => {
      const store = await create();
      const bytes = Buffer.from('before');

      await store.putIfAbsent('key', bytes);
      bytes.fill('x');

      expect((await store.get('key'))?.toString()).toBe('before');
    });

    it.each([
      [0, 4, '0123'],
      [3, 4, '3456'],
      [8, 100, '89'],
      [10, 5, ''],
      [1000, 5, ''],
      [5, 0, ''],
    ])('reads the range %i+%i', async (offset, length, expected) => {
      const store = await create();
      await store.putIfAbsent('digits', Buffer.from('0123456789'));

      expect((await store.getRange('digits', offset, length))?.toString()).toBe(expected);
    });

    it.each([
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [0, Number.NaN],
    ])('refuses the range %d+%d', async (offset, length) => {
      const store = await create();

      await expect(store.getRange('digits', offset, length)).rejects.toThrow(RangeError);
    });

    it('lists what begins with the prefix, with its size', async () => {
      const store = await create();
      for (const key of ['a/1', 'a/2', 'ab/1', 'b/1']) await store.putIfAbsent(key, Buffer.from(key));

      expect(await keys(store, 'a')).toEqual(['a/1', 'a/2', 'ab/1']);
      expect(await keys(store, 'a/')).toEqual(['a/1', 'a/2']);
      expect(await keys(store, 'a/2')).toEqual(['a/2']);
      expect(await keys(store, 'c/')).toEqual([]);
      expect(await Array.fromAsync(store.list('ab'))).toEqual([{ key: 'ab/1', size: 4 }]);
    });

    it('lists in the order of the UTF-8 bytes of the whole key', async () => {
      const store = await create();
      // '.' sorts before '/', '0' after it; U+FF61 before U+1F600 in UTF-8, after it in UTF-16.
      const list = ['a.b', 'a/x', 'a0', 'Z', 'a/\uff61', 'a/\u{1f600}', 'a-1/x', 'ä'];
      for (const key of list) await store.putIfAbsent(key, Buffer.from(key));

      const expected = [...list].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(await keys(store, '')).toEqual(expected);
      expect(await keys(store, 'a')).toEqual(expected.filter((key) => key.startsWith('a')));
    });

    it('lists any set of keys completely and in order', async () => {
      const part = fc.stringMatching(/^[a-c.0-]{1,3}$/).filter((text) => text !== '.' && text !== '..');
      const key = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(key, { maxLength: 12 }), async (wanted) => {
          const store = await create();
          // A key is not also the folder of another here: not every store can keep both.
          const list = wanted.filter((one) => !wanted.some((other) => other.startsWith(`${one}/`)));
          for (const one of list) await store.putIfAbsent(one, Buffer.from(one));

          expect(await keys(store, '')).toEqual(
            [...list].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
          );
        }),
        { numRuns: 15 },
      );
    });

    it.each([
      '',
      '/',
      '/etc/passwd',
      'a//b',
      'a/',
      '.',
      '..',
      '../up',
      'a/../../up',
      'a/./b',
      'nul\0byte',
      'line\nfeed',
      'escape\u001b[2J',
      'back\\slash',
      'half\ud800',
      'x'.repeat(256),
      'deep/'.repeat(300).slice(0, -1),
    ])('refuses the key %j', async (key) => {
      const store = await create();
      const refusal = { code: 'invalid-key' };

      await expect(store.putIfAbsent(key, Buffer.from('x'))).rejects.toMatchObject(refusal);
      await expect(store.get(key)).rejects.toMatchObject(refusal);
      await expect(store.getRange(key, 0, 1)).rejects.toMatchObject(refusal);
      expect(await keys(store, '')).toEqual([]);
    });
  });
}
