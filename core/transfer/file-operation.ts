export type TransferProtocol = 'sftp' | 'scp' | 'rsync' | 'git';

/** `whole`: of the whole file. `prefix`: of the bytes that passed, from the file's first on; the file may go on behind them. */
type HashedStatus = 'whole' | 'prefix';
/** Why there is no hash; `not-read`: the bytes are those of a protocol that is not understood, not of a file; `hash-failed` is a fault of the gateway. */
type UnhashedStatus =
  | 'out-of-order'
  | 'appended'
  | 'failed-write'
  | 'both-ways'
  | 'copied'
  | 'no-bytes'
  | 'not-read'
  | 'hash-failed';
export type Sha256Status = HashedStatus | UnhashedStatus;

/** What passed of a file's content. */
export type TransferredBytes = {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly sha256Status: Sha256Status;
  /** Hex; where the status says there is one. Rejects never; undefined where it could not be had. */
  readonly sha256: Promise<string | undefined>;
};

export type OperationKind =
  | 'transfer'
  | 'rename'
  | 'remove'
  | 'mkdir'
  | 'rmdir'
  | 'setstat'
  | 'symlink'
  | 'hardlink'
  | 'copy'
  | 'unparsed';

export type TransferDirection = 'upload' | 'download' | 'both';

/** Why policy refused an operation. */
export type TransferDenial = { readonly reason: string; readonly message: string };

export type OperationOutcome =
  | { readonly kind: 'success' }
  /** The target said no: SFTP's code (draft-ietf-secsh-filexfer-02 §7) and text, or scp's words. */
  | { readonly kind: 'failure'; readonly code?: number; readonly text: Buffer }
  | { readonly kind: 'denied'; readonly denial: TransferDenial }
  /** The channel ended before the file was closed or the request was answered. */
  | { readonly kind: 'unfinished' }
  /** The bytes were not understood: what happened from here on is not known file by file. */
  | { readonly kind: 'unparsed'; readonly code: string; readonly message: string };

/** One thing that was done, or tried, to the target's files. Paths are the bytes that were sent. */
export type FileOperation = {
  readonly protocol: TransferProtocol;
  readonly operation: OperationKind;
  /** The protocol's own name for it. */
  readonly request: string | Buffer;
  readonly direction?: TransferDirection | undefined;
  readonly path?: Buffer | undefined;
  readonly newPath?: Buffer | undefined;
  /** `path` from the root on, where it was relative and the directory it is relative to is known. */
  readonly resolvedPath?: Buffer | undefined;
  readonly attributes?: string | undefined;
  readonly content?: TransferredBytes | undefined;
  readonly outcome: OperationOutcome;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
};

/** Hashes one file as it passes. */
export interface ContentHasher {
  /** The bytes are read, or copied, before this returns. */
  update(bytes: Buffer): void;
  /** Hex; undefined where it failed. Never rejects. */
  digest(): Promise<string | undefined>;
  /** The hash is not wanted any more. */
  discard(): void;
}
