import { open } from 'node:fs/promises';
import { type JournalOptions, openJournal } from '#adapters/local';

/** A journal on a disk that is full for as long as `full` says so. */
export function journalOnDisk(disk: { full: boolean }): typeof openJournal {
  return (options: JournalOptions) =>
    openJournal({
      ...options,
      async createFile(path) {
        const file = await open(path, 'ax', 0o600);
        return {
          async write(bytes: Uint8Array, offset: number, length: number) {
            if (disk.full) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
            return file.write(bytes, offset, length);
          },
          datasync: () => file.datasync(),
          truncate: (length) => file.truncate(length),
          close: () => file.close(),
        };
      },
    });
}
