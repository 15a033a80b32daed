import { createHash } from 'node:crypto';
import type {
  ContentHasher,
  FileOperation,
  TransferChannel,
  TransferGuard,
  TransferVerdict,
} from '#core/transfer';
import { createSftpChannel } from '#core/transfer';

/** Frames of draft-ietf-secsh-filexfer-02, as the two ends send them. */
export const sftp = {
  init: (version = 3) => frame(1, u32(version)),
  version: (version = 3) => frame(2, u32(version)),
  open: (id: number, path: string | Buffer, flags: number) =>
    frame(3, u32(id), text(path), u32(flags), u32(0)),
  close: (id: number, handle: string) => frame(4, u32(id), text(handle)),
  read: (id: number, handle: string, offset: number, length: number) =>
    frame(5, u32(id), text(handle), u64(offset), u32(length)),
  write: (id: number, handle: string, offset: number, data: string | Buffer) =>
    frame(6, u32(id), text(handle), u64(offset), text(data)),
  fstat: (id: number, handle: string) => frame(8, u32(id), text(handle)),
  fsetstatSize: (id: number, handle: string, size: number) =>
    frame(10, u32(id), text(handle), u32(1), u64(size)),
  setstatMode: (id: number, path: string, mode: number) => frame(9, u32(id), text(path), u32(4), u32(mode)),
  opendir: (id: number, path: string) => frame(11, u32(id), text(path)),
  remove: (id: number, path: string | Buffer) => frame(13, u32(id), text(path)),
  mkdir: (id: number, path: string) => frame(14, u32(id), text(path), u32(0)),
  realpath: (id: number, path: string) => frame(16, u32(id), text(path)),
  stat: (id: number, path: string) => frame(17, u32(id), text(path)),
  rename: (id: number, path: string, newPath: string) => frame(18, u32(id), text(path), text(newPath)),
  symlink: (id: number, target: string, link: string) => frame(20, u32(id), text(target), text(link)),
  extended: (id: number, name: string, ...fields: readonly Buffer[]) =>
    frame(200, u32(id), text(name), ...fields),
  status: (id: number, code: number, message = '') => frame(101, u32(id), u32(code), text(message), text('')),
  handle: (id: number, handle: string) => frame(102, u32(id), text(handle)),
  data: (id: number, data: string | Buffer) => frame(103, u32(id), text(data)),
  name: (id: number, name: string) => frame(104, u32(id), u32(1), text(name), text(name), u32(0)),
  attributesSize: (id: number, size: number) => frame(105, u32(id), u32(1), u64(size)),
};

export function frame(type: number, ...fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.of(type), ...fields]);
  return Buffer.concat([u32(body.length), body]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u32(bytes.length), bytes]);
}

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function hasher(): ContentHasher {
  const hash = createHash('sha256');
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    digest: async () => hash.digest('hex'),
    discard: () => undefined,
  };
}

/** Policy that judges every file, by a pattern of those it refuses. */
export function refusing(
  pattern: RegExp,
  directions: readonly string[] = ['upload', 'download'],
): TransferGuard {
  return {
    readsFiles: (direction) => directions.includes(direction),
    denialOf: (direction, path) =>
      pattern.test(`${direction} ${path}`)
        ? { reason: 'forbidden-by-policy', message: 'not this file' }
        : undefined,
  };
}

const permissive: TransferGuard = { readsFiles: () => false, denialOf: () => undefined };

/** A channel between two ends, with all that came out at either. */
export class TransferRig {
  readonly operations: FileOperation[] = [];
  readonly channel: TransferChannel;
  readonly atTarget: Buffer[] = [];
  readonly atClient: Buffer[] = [];
  refusal: string | undefined;
  dropped = 0;
  added = 0;
  #now = 0;

  constructor(
    guard: TransferGuard = permissive,
    create: (options: Parameters<typeof createSftpChannel>[0]) => TransferChannel = createSftpChannel,
  ) {
    this.channel = create({
      guard,
      now: () => {
        this.#now += 1;
        return this.#now;
      },
      startHasher: hasher,
      report: (operation) => this.operations.push(operation),
    });
  }

  client(...pieces: readonly Buffer[]): void {
    for (const piece of pieces) {
      const sent = Buffer.from(piece);
      this.#take(this.channel.fromClient(sent), sent, this.atTarget, this.atClient);
    }
  }

  target(...pieces: readonly Buffer[]): void {
    for (const piece of pieces) {
      const sent = Buffer.from(piece);
      this.#take(this.channel.fromTarget(sent), sent, this.atClient, this.atTarget);
    }
  }

  /** INIT and VERSION, and the target's answer about where it starts. */
  greet(start?: string): this {
    this.client(sftp.init());
    this.target(sftp.version());
    if (start === undefined) return this;
    this.client(sftp.realpath(0, '.'));
    this.target(sftp.name(0, start));
    return this;
  }

  /** What was told, in short. */
  async told(): Promise<readonly string[]> {
    return Promise.all(this.operations.map(inShort));
  }

  #take(verdict: TransferVerdict, sent: Buffer, onward: Buffer[], back: Buffer[]): void {
    if (verdict.kind === 'pass') onward.push(sent);
    if (verdict.kind === 'refuse') this.refusal = verdict.message;
    if (verdict.kind !== 'replace') return;
    onward.push(...verdict.onward.map((piece) => Buffer.from(piece)));
    back.push(...verdict.back.map((piece) => Buffer.from(piece)));
    this.dropped += verdict.dropped;
    this.added += verdict.added + Buffer.concat(verdict.back).length;
  }
}

async function inShort(operation: FileOperation): Promise<string> {
  const { content, outcome } = operation;
  const hash = await content?.sha256;
  const parts = [
    operation.operation,
    operation.direction,
    operation.path?.toString(),
    operation.newPath?.toString(),
    operation.resolvedPath === undefined ? undefined : `(${operation.resolvedPath.toString()})`,
    operation.attributes,
    content === undefined
      ? undefined
      : `r${content.bytesRead} w${content.bytesWritten} ${content.sha256Status}`,
    hash?.slice(0, 8),
    outcome.kind,
    outcome.kind === 'failure' ? outcome.code : undefined,
    outcome.kind === 'unparsed' ? outcome.code : undefined,
  ];
  return parts.filter((part) => part !== undefined && part !== '').join(' ');
}

/** The bytes in pieces of the given lengths, the last one as long as is left. */
export function inPieces(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const length of lengths) {
    if (at >= bytes.length) break;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  if (at < bytes.length) pieces.push(bytes.subarray(at));
  return pieces;
}

export function bytewise(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}
