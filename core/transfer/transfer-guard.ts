import type { TransferDenial } from './file-operation.ts';
import { judgedPath, linkTarget } from './remote-path.ts';
import { OpenFlag, type SftpRequest } from './sftp-message.ts';

/** Policy, as far as single files go. */
export type TransferGuard = {
  /** Whether files that go this way are judged one by one. Where not, they were allowed beforehand, and nothing is asked. */
  readsFiles(direction: 'upload' | 'download'): boolean;
  /** Why a file may not go this way; undefined where it may. */
  denialOf(direction: 'upload' | 'download', path: string, bytes?: number): TransferDenial | undefined;
};

/** Whether anything is to be kept back at all. */
export function isGuarding(guard: TransferGuard): boolean {
  return guard.readsFiles('upload') || guard.readsFiles('download');
}

/** Whether one file may go one way. `ending` is put behind its path. */
export function denialOfFile(
  guard: TransferGuard,
  direction: 'upload' | 'download',
  path: Buffer,
  start: Buffer | undefined,
  more: { readonly ending?: string; readonly bytes?: number } = {},
): TransferDenial | undefined {
  if (!guard.readsFiles(direction)) return undefined;
  const judged = judgedPath(path, start);
  if (!judged.known) return { reason: 'path-not-known', message: judged.message };
  return guard.denialOf(direction, `${judged.path}${more.ending ?? ''}`, more.bytes);
}

/** Why policy refuses a request; undefined where it does not. `path` is that of the handle where the request has none. */
export function denialOfRequest(
  guard: TransferGuard,
  request: SftpRequest,
  handlePath: Buffer | undefined,
  start: Buffer | undefined,
): TransferDenial | undefined {
  const judge = new Judge(guard, start);
  switch (request.kind) {
    case 'open':
      return judge.open(request.path, request.flags);
    case 'fsetstat':
      return handlePath === undefined ? undefined : judge.asks('upload', handlePath);
    case 'change':
      switch (request.change) {
        case 'remove':
        case 'mkdir':
        case 'rmdir':
        case 'setstat':
          return judge.asks('upload', request.path);
        case 'rename':
        case 'hardlink':
          return judge.alias(request.path, request.newPath);
        case 'symlink':
          return judge.alias(
            request.newPath === undefined ? request.path : linkTarget(request.path, request.newPath),
            request.newPath,
          );
      }
      break;
    // Of what is open, the opening was judged; the others change nothing and carry no content.
    case 'opendir':
    case 'close':
    case 'read':
    case 'write':
    case 'fstat':
    case 'realpath':
    case 'copy':
    case 'other':
      return undefined;
  }
}

class Judge {
  readonly #guard: TransferGuard;
  readonly #start: Buffer | undefined;

  constructor(guard: TransferGuard, start: Buffer | undefined) {
    this.#guard = guard;
    this.#start = start;
  }

  open(path: Buffer, flags: number): TransferDenial | undefined {
    const writes = (flags & (OpenFlag.write | OpenFlag.append | OpenFlag.create | OpenFlag.truncate)) !== 0;
    const reads = (flags & OpenFlag.read) !== 0 || !writes;
    return (
      (writes ? this.asks('upload', path) : undefined) ?? (reads ? this.asks('download', path) : undefined)
    );
  }

  /**
   * A file gets another name. Both are changed, and what may not be fetched under the old name may not become fetchable under the new
   * one. The old one is asked with a slash behind it, too: a rule for all below a directory is one about moving it.
   */
  alias(path: Buffer, newPath: Buffer = path): TransferDenial | undefined {
    return (
      this.asks('upload', path) ??
      this.asks('upload', newPath) ??
      this.#asksBelow('upload', path) ??
      (this.asks('download', newPath) === undefined
        ? (this.asks('download', path) ?? this.#asksBelow('download', path))
        : undefined)
    );
  }

  asks(direction: 'upload' | 'download', path: Buffer): TransferDenial | undefined {
    return denialOfFile(this.#guard, direction, path, this.#start);
  }

  #asksBelow(direction: 'upload' | 'download', path: Buffer): TransferDenial | undefined {
    return denialOfFile(this.#guard, direction, path, this.#start, { ending: '/' });
  }
}
