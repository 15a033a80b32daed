import { chmodSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readBoundedText, readPolicyFiles, watchPolicyFiles } from '../../cli/policy-files.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function written(text: string) {
  const path = join(temporaryFolder(), 'policy.cedar');
  writeFileSync(path, text, { mode: 0o600 });
  return { file: 'policy.cedar', path };
}

describe('files of policies', () => {
  test('are read by the names that the configuration has for them', async () => {
    expect(await readPolicyFiles([written('one'), written('two')])).toEqual([
      { file: 'policy.cedar', text: 'one' },
      { file: 'policy.cedar', text: 'two' },
    ]);
  });

  test('that anybody may write are refused, whatever they say', async () => {
    const policy = written('one');
    chmodSync(policy.path, 0o666);

    await expect(readPolicyFiles([policy])).rejects.toMatchObject({
      code: 'unusable-data',
      message: expect.stringContaining('can be written by anybody'),
    });
  });

  test('that are none are refused, and nobody waits for a pipe', async () => {
    const pipe = join(temporaryFolder(), 'pipe');
    await run('mkfifo', [pipe]);
    const large = written('x'.repeat(1024 * 1024 + 1));

    await expect(readBoundedText(pipe)).rejects.toThrow('is no file');
    await expect(readBoundedText('/dev/zero')).rejects.toThrow('is no file');
    await expect(readBoundedText(large.path)).rejects.toThrow('larger than 1 MiB');
    await expect(readBoundedText(join(temporaryFolder(), 'nothing'))).rejects.toThrow('ENOENT');
  });
});

describe('a watch over files of policies', () => {
  test('reads what it finds the same twice, and then again only what has changed', async () => {
    const policy = written('one');
    const watch = watchPolicyFiles([policy]);

    expect(await watch.readChanged()).toBeUndefined();
    const first = await watch.readChanged();
    expect(await watch.readChanged()).toBeUndefined();
    writeFileSync(policy.path, 'another');
    expect(await watch.readChanged()).toBeUndefined();
    const second = await watch.readChanged();

    expect(first?.sources).toEqual([{ file: 'policy.cedar', text: 'one' }]);
    expect(second?.sources).toEqual([{ file: 'policy.cedar', text: 'another' }]);
    expect(await second?.writtenBy()).toBe(userInfo().username);
    expect(await watch.readChanged()).toBeUndefined();
  });

  test('sees a file that was replaced by one of the same length, also behind a link', async () => {
    const policy = written('one');
    const link = `${policy.path}.link`;
    symlinkSync(policy.path, link);
    const watch = watchPolicyFiles([{ file: 'policy.cedar', path: link }]);
    await watch.readChanged();
    await watch.readChanged();

    writeFileSync(`${policy.path}.new`, 'two', { mode: 0o600 });
    renameSync(`${policy.path}.new`, policy.path);
    await watch.readChanged();

    expect((await watch.readChanged())?.sources).toEqual([{ file: 'policy.cedar', text: 'two' }]);
  });

  test('rejects while a file is missing or open to anybody, and reads it when that is over', async () => {
    const policy = written('one');
    const watch = watchPolicyFiles([policy]);
    rmSync(policy.path);
    await watch.readChanged();
    await expect(watch.readChanged()).rejects.toThrow('ENOENT');
    await expect(watch.readChanged()).rejects.toThrow('ENOENT');

    writeFileSync(policy.path, 'two', { mode: 0o600 });
    chmodSync(policy.path, 0o602);
    await watch.readChanged();
    await expect(watch.readChanged()).rejects.toThrow('written by anybody');
    chmodSync(policy.path, 0o600);
    await watch.readChanged();

    expect((await watch.readChanged())?.sources).toEqual([{ file: 'policy.cedar', text: 'two' }]);
  });
});
