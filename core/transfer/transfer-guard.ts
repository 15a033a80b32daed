import type { TransferDenial } from './file-operation.ts';
import { judgedPath, linkTarget } from './remote-path.ts';
import { OpenFlag, type SftpRequest } from './sftp-message.ts';

/** Policy, as far as single files go. */
export type TransferGuard = {
  /** Whether single files are to be judged at all; where not, nothing is kept back and nothing asked. */
  isActive(): boolean;
  /** Why a file may not go this way; undefined where it may. */
  denialOf(direction: 'upload' | 'download', path: string): TransferDenial | undefined;
};

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
    return this.#ask(direction, path, '');
  }

  #asksBelow(direction: 'upload' | 'download', path: Buffer): TransferDenial | undefined {
    return this.#ask(direction, path, '/');
  }

  #ask(direction: 'upload' | 'download', path: Buffer, ending: string): TransferDenial | undefined {
    const judged = judgedPath(path, this.#start);
    if (!judged.known) return { reason: 'path-not-known', message: judged.message };
    return this.#guard.denialOf(direction, `${judged.path}${ending}`);
  }
}
