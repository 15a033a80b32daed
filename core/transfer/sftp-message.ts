import { FieldReader } from './field-reader.ts';
import { type FileAttributes, readAttributes } from './file-attributes.ts';
import { TransferError } from './transfer-error.ts';

/** Message types of draft-ietf-secsh-filexfer-02 §3. */
export const SftpType = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 200,
  extendedReply: 201,
} as const;

/** Flags of OPEN, §6.3. */
export const OpenFlag = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 } as const;

/** Codes of STATUS, §7. */
export const StatusCode = { ok: 0, eof: 1, noSuchFile: 2, permissionDenied: 3, failure: 4 } as const;

/** What changes a file system by name, or by a handle where there is no path. */
export type ChangeKind = 'rename' | 'remove' | 'mkdir' | 'rmdir' | 'setstat' | 'symlink' | 'hardlink';

/** A request as far as it matters; buffers are views. `answers` are the types a reply to it may have. */
export type SftpRequest =
  | { readonly kind: 'open'; readonly path: Buffer; readonly flags: number }
  | { readonly kind: 'opendir' }
  | { readonly kind: 'close'; readonly handle: Buffer }
  | { readonly kind: 'read'; readonly handle: Buffer; readonly offset: number; readonly length: number }
  | { readonly kind: 'write'; readonly handle: Buffer; readonly offset: number; readonly length: number }
  | { readonly kind: 'fstat'; readonly handle: Buffer }
  | { readonly kind: 'realpath'; readonly path: Buffer }
  | {
      readonly kind: 'change';
      readonly change: ChangeKind;
      /** The protocol's name for it. */
      readonly name: string;
      readonly path: Buffer;
      readonly newPath?: Buffer;
      readonly attributes?: FileAttributes;
    }
  | { readonly kind: 'fsetstat'; readonly handle: Buffer; readonly attributes: FileAttributes }
  | {
      readonly kind: 'copy';
      readonly from: Buffer;
      readonly to: Buffer;
      readonly offset: number;
      /** 0: to the end of the file. */
      readonly length: number;
      readonly toOffset: number;
    }
  /** Reads names or attributes, or is an extension; of those the ones that are not known could do anything. */
  | { readonly kind: 'other'; readonly answer: number; readonly isKnown: boolean };

/** Handles are opaque; PROTOCOL of the draft allows 256 bytes. */
const maxHandleBytes = 256;
/** Two paths of PATH_MAX, a name of an extension, and the fields between them. */
const maxHeadBytes = 8448;
const typeAndId = 5;

/** How much of a request is to be read before it can be understood: of WRITE all but the block, of others all. */
export function requestHeadBytes(head: Buffer, frameBytes: number): number {
  if (head.length === 0) return 1;
  if (head[0] !== SftpType.write) return Math.min(frameBytes, maxHeadBytes);
  if (head.length < typeAndId + 4) return Math.min(frameBytes, typeAndId + 4);
  const handleBytes = head.readUInt32BE(typeAndId);
  if (handleBytes > maxHandleBytes) throw longHandle(handleBytes);
  return Math.min(frameBytes, typeAndId + 4 + handleBytes + 8 + 4);
}

/** The same of replies: of DATA all but the block, of a list of names the first. */
export function replyHeadBytes(head: Buffer, frameBytes: number): number {
  if (head.length === 0) return 1;
  return Math.min(frameBytes, head[0] === SftpType.data ? typeAndId + 4 : maxHeadBytes);
}

/** @throws TransferError where the head has not the fields its type says */
export function parseRequest(head: Buffer): { readonly id: number; readonly request: SftpRequest } {
  const reader = new FieldReader(head);
  const type = reader.byte();
  return { id: reader.uint32(), request: readRequest(type, reader) };
}

function readRequest(type: number, reader: FieldReader): SftpRequest {
  switch (type) {
    case SftpType.open:
      return { kind: 'open', path: reader.string(), flags: reader.uint32() };
    case SftpType.close:
      return { kind: 'close', handle: handle(reader) };
    case SftpType.read:
    case SftpType.write:
      return {
        kind: type === SftpType.read ? 'read' : 'write',
        handle: handle(reader),
        offset: reader.uint64(),
        length: reader.uint32(),
      };
    case SftpType.fstat:
      return { kind: 'fstat', handle: handle(reader) };
    case SftpType.fsetstat:
      return { kind: 'fsetstat', handle: handle(reader), attributes: readAttributes(reader) };
    case SftpType.opendir:
      return { kind: 'opendir' };
    case SftpType.realpath:
      return { kind: 'realpath', path: reader.string() };
    case SftpType.readdir:
    case SftpType.readlink:
      return { kind: 'other', answer: SftpType.name, isKnown: true };
    case SftpType.stat:
    case SftpType.lstat:
      return { kind: 'other', answer: SftpType.attrs, isKnown: true };
    case SftpType.extended:
      return readExtended(reader);
    default:
      return readChange(type, reader);
  }
}

function readChange(type: number, reader: FieldReader): SftpRequest {
  switch (type) {
    case SftpType.remove:
      return { kind: 'change', change: 'remove', name: 'REMOVE', path: reader.string() };
    case SftpType.rmdir:
      return { kind: 'change', change: 'rmdir', name: 'RMDIR', path: reader.string() };
    case SftpType.mkdir:
      return withAttributes('mkdir', 'MKDIR', reader);
    case SftpType.setstat:
      return withAttributes('setstat', 'SETSTAT', reader);
    case SftpType.rename:
      return withTwoPaths('rename', 'RENAME', reader);
    // OpenSSH's order, PROTOCOL §4.1: what the link leads to comes first.
    case SftpType.symlink:
      return withTwoPaths('symlink', 'SYMLINK', reader);
    default:
      throw new TransferError('malformed', `${type} is no request of the file transfer`);
  }
}

const harmlessExtensions: ReadonlySet<string> = new Set([
  'fsync@openssh.com',
  'fstatvfs@openssh.com',
  'limits@openssh.com',
  'statvfs@openssh.com',
  'users-groups-by-id@openssh.com',
]);

/** OpenSSH's PROTOCOL §4. What is not known is answered with STATUS or anything of its own. */
function readExtended(reader: FieldReader): SftpRequest {
  const name = reader.string().toString('latin1');
  switch (name) {
    case 'posix-rename@openssh.com':
      return withTwoPaths('rename', name, reader);
    case 'hardlink@openssh.com':
      return withTwoPaths('hardlink', name, reader);
    case 'lsetstat@openssh.com':
      return withAttributes('setstat', name, reader);
    case 'copy-data':
      return {
        kind: 'copy',
        from: handle(reader),
        offset: reader.uint64(),
        length: reader.uint64(),
        to: handle(reader),
        toOffset: reader.uint64(),
      };
    case 'expand-path@openssh.com':
    case 'home-directory':
      return { kind: 'other', answer: SftpType.name, isKnown: true };
    default:
      return { kind: 'other', answer: SftpType.extendedReply, isKnown: harmlessExtensions.has(name) };
  }
}

function withTwoPaths(change: ChangeKind, name: string, reader: FieldReader): SftpRequest {
  return { kind: 'change', change, name, path: reader.string(), newPath: reader.string() };
}

function withAttributes(change: ChangeKind, name: string, reader: FieldReader): SftpRequest {
  return { kind: 'change', change, name, path: reader.string(), attributes: readAttributes(reader) };
}

function handle(reader: FieldReader): Buffer {
  const bytes = reader.string();
  if (bytes.length > maxHandleBytes) throw longHandle(bytes.length);
  return bytes;
}

function longHandle(length: number): TransferError {
  return new TransferError('malformed', `a handle of ${length} bytes is none; at most ${maxHandleBytes} are`);
}

/** The type a reply to this request may have beside STATUS. */
export function answerTo(request: SftpRequest): number {
  switch (request.kind) {
    case 'open':
    case 'opendir':
      return SftpType.handle;
    case 'read':
      return SftpType.data;
    case 'fstat':
      return SftpType.attrs;
    case 'realpath':
      return SftpType.name;
    case 'other':
      return request.answer;
    case 'close':
    case 'write':
    case 'change':
    case 'fsetstat':
    case 'copy':
      return SftpType.status;
  }
}

/** What a reply says; buffers are views. */
export type SftpReply =
  | { readonly kind: 'status'; readonly code: number; readonly text: Buffer }
  | { readonly kind: 'handle'; readonly handle: Buffer }
  | { readonly kind: 'data'; readonly length: number }
  | { readonly kind: 'name'; readonly name: Buffer | undefined }
  | { readonly kind: 'attributes'; readonly attributes: FileAttributes }
  | { readonly kind: 'other' };

/** @throws TransferError where the head has not the fields its type says */
export function parseReply(head: Buffer): {
  readonly type: number;
  readonly id: number;
  readonly reply: SftpReply;
} {
  const reader = new FieldReader(head);
  const type = reader.byte();
  return { type, id: reader.uint32(), reply: readReply(type, reader) };
}

function readReply(type: number, reader: FieldReader): SftpReply {
  switch (type) {
    case SftpType.status: {
      const code = reader.uint32();
      // Servers of version 2 and before have no text.
      return { kind: 'status', code, text: reader.remaining === 0 ? Buffer.alloc(0) : reader.string() };
    }
    case SftpType.handle:
      return { kind: 'handle', handle: handle(reader) };
    case SftpType.data:
      return { kind: 'data', length: reader.uint32() };
    case SftpType.name:
      return { kind: 'name', name: reader.uint32() === 0 ? undefined : reader.string() };
    case SftpType.attrs:
      return { kind: 'attributes', attributes: readAttributes(reader) };
    case SftpType.extendedReply:
      return { kind: 'other' };
    default:
      throw new TransferError('malformed', `${type} is no reply of the file transfer`);
  }
}

/** A STATUS frame, length and all. */
export function encodeStatus(id: number, code: number, text: string): Buffer {
  const message = Buffer.from(text, 'utf8');
  const frame = Buffer.alloc(4 + 1 + 4 + 4 + 4 + message.length + 4);
  frame.writeUInt32BE(frame.length - 4, 0);
  frame.writeUInt8(SftpType.status, 4);
  frame.writeUInt32BE(id, 5);
  frame.writeUInt32BE(code, 9);
  frame.writeUInt32BE(message.length, 13);
  message.copy(frame, 17);
  return frame;
}
