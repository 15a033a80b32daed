import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFolderBlobStore } from '../../../../adapters/local/index.ts';
import { blobStoreConformance } from '../../../conformance/blob-store.ts';
import { temporaryFolder } from '../temporary-folder.ts';

blobStoreConformance('the folder', async () => createFolderBlobStore(join(temporaryFolder(), 'lake')));

const bytes = Buffer.from('bytes');

describe('createFolderBlobStore', () => {
  it('keeps folders and files from other accounts and leaves nothing unfinished', async () => {
    const root = join(temporaryFolder(), 'lake');

    await createFolderBlobStore(root).putIfAbsent('a/b/c', bytes);

    const mode = (path: string) => (lstatSync(join(root, path)).mode & 0o777).toString(8);
    expect([mode('.'), mode('a'), mode('a/b'), mode('a/b/c')]).toEqual(['700', '700', '700', '600']);
    expect(readdirSync(root)).toEqual(['a']);
  });

  it('is nothing on disk until it is written to', async () => {
    const root = join(temporaryFolder(), 'lake');
    const store = createFolderBlobStore(root);

    expect(await store.get('a')).toBeUndefined();
    expect(await Array.fromAsync(store.list('a/b'))).toEqual([]);
    expect(existsSync(root)).toBe(false);
  });

  it('writes through no linked folder', async () => {
    const [root, outside] = [temporaryFolder(), temporaryFolder()];
    symlinkSync(outside, join(root, 'a'));
    const store = createFolderBlobStore(root);

    await expect(store.putIfAbsent('a/b', bytes)).rejects.toMatchObject({ code: 'unsafe' });
    await expect(store.putIfAbsent('a/b/c', bytes)).rejects.toMatchObject({ code: 'unsafe' });

    expect(readdirSync(outside)).toEqual([]);
  });

  it('writes to no linked file, be its end there or not', async () => {
    const [root, outside] = [temporaryFolder(), temporaryFolder()];
    writeFileSync(join(outside, 'there'), 'theirs');
    symlinkSync(join(outside, 'there'), join(root, 'there'));
    symlinkSync(join(outside, 'missing'), join(root, 'missing'));
    const store = createFolderBlobStore(root);

    await expect(store.putIfAbsent('there', bytes)).rejects.toMatchObject({ code: 'unsafe' });
    await expect(store.putIfAbsent('missing', bytes)).rejects.toMatchObject({ code: 'unsafe' });

    expect(readFileSync(join(outside, 'there'), 'utf8')).toBe('theirs');
    expect(readdirSync(outside)).toEqual(['there']);
  });

  it('reads and lists through no link', async () => {
    const [root, outside] = [temporaryFolder(), temporaryFolder()];
    writeFileSync(join(outside, 'secret'), 'secret');
    symlinkSync(outside, join(root, 'folder'));
    symlinkSync(join(outside, 'secret'), join(root, 'file'));
    const store = createFolderBlobStore(root);

    await expect(store.get('folder/secret')).rejects.toMatchObject({ code: 'unsafe' });
    await expect(store.getRange('file', 0, 6)).rejects.toMatchObject({ code: 'unsafe' });
    await expect(Array.fromAsync(store.list(''))).rejects.toMatchObject({ code: 'unsafe' });
    await expect(Array.fromAsync(store.list('folder/'))).rejects.toMatchObject({ code: 'unsafe' });
  });

  it('does not wait for a pipe somebody planted', async () => {
    const root = temporaryFolder();
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const store = createFolderBlobStore(root);

    expect(await store.get('pipe')).toBeUndefined();
    await expect(store.putIfAbsent('pipe', bytes)).rejects.toMatchObject({ code: 'unsafe' });
    await expect(Array.fromAsync(store.list(''))).rejects.toMatchObject({ code: 'unsafe' });
  });

  it('refuses keys that look like its unfinished files, and lists none of those', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, '.put-1-abc'), 'half');
    const store = createFolderBlobStore(root);

    await expect(store.get('.put-1-abc')).rejects.toMatchObject({ code: 'invalid-key' });
    expect(await Array.fromAsync(store.list(''))).toEqual([]);
  });

  it('removes what a killed process left unfinished long ago, and not what may be in use', async () => {
    const root = temporaryFolder();
    for (const name of ['.put-1-old', '.put-1-new']) writeFileSync(join(root, name), 'half');
    utimesSync(join(root, '.put-1-old'), new Date(0), new Date(0));

    await createFolderBlobStore(root).putIfAbsent('a', bytes);

    expect(readdirSync(root).sort()).toEqual(['.put-1-new', 'a']);
  });

  it('fails with its own error where a file is in the way, and names the key', async () => {
    const root = temporaryFolder();
    const store = createFolderBlobStore(root);
    await store.putIfAbsent('a', bytes);

    await expect(store.putIfAbsent('a/b', bytes)).rejects.toMatchObject({
      name: 'BlobStoreError',
      code: 'unsafe',
    });
    const inTheWay = createFolderBlobStore(join(root, 'a'));
    await expect(inTheWay.putIfAbsent('b', bytes)).rejects.toThrow(/"b" could not be written \(E[A-Z]+\)/);
  });

  it('refuses foreign names in a listing rather than repeating them', async () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'a'));
    writeFileSync(join(root, 'a', 'x\n2026-01-01 forged line'), '');

    await expect(Array.fromAsync(createFolderBlobStore(root).list('a/'))).rejects.toMatchObject({
      code: 'invalid-key',
    });
  });

  it('lets one of several processes store', async () => {
    const root = temporaryFolder();
    const script = `
      import { createFolderBlobStore } from ${JSON.stringify(new URL('../../../../adapters/local/blob-store/folder-blob-store.ts', import.meta.url).href)};
      const store = createFolderBlobStore(process.argv[1]);
      const outcomes = [];
      for (let n = 0; n < 20; n += 1) outcomes.push(await store.putIfAbsent('k/' + n, Buffer.from(process.argv[2])));
      console.log(outcomes.filter((outcome) => outcome === 'stored').length);
    `;
    const run = async (name: string): Promise<number> => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, '--', root, name], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const chunks: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      await once(child, 'close');
      return Number(Buffer.concat(chunks).toString());
    };

    const stored = await Promise.all(['one', 'two'].map(run));

    expect(stored.reduce((sum, count) => sum + count, 0)).toBe(20);
    expect(readdirSync(root)).toEqual(['k']);
  });
});
