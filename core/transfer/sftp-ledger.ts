import { attributesText } from './file-attributes.ts';
import { FileContent } from './file-content.ts';
import type { FileOperation, OperationOutcome, TransferDenial, TransferDirection } from './file-operation.ts';
import { absolutePath } from './remote-path.ts';
import {
  answerTo,
  OpenFlag,
  type SftpReply,
  type SftpRequest,
  SftpType,
  StatusCode,
} from './sftp-message.ts';
import type { TransferChannelOptions } from './transfer-channel.ts';
import { TransferError } from './transfer-error.ts';

/** A file between its OPEN and its CLOSE. */
export type OpenFile = {
  readonly path: Buffer;
  readonly direction: TransferDirection;
  readonly content: FileContent;
  readonly openedAtMs: number;
};

/** A request on its way, with the files its handles stood for when it was sent; its buffers are its own. */
type Pending = {
  readonly request: SftpRequest;
  readonly answer: number;
  readonly sentAtMs: number;
  readonly file: OpenFile | undefined;
  readonly toFile: OpenFile | undefined;
};

type FileRequest = Extract<SftpRequest, { readonly kind: 'change' | 'fsetstat' | 'copy' }>;

const maxPending = 8192;
const maxHandles = 1024;

/** Which requests are unanswered and which handles are open, and what follows from the answers. */
export class SftpLedger {
  readonly #options: TransferChannelOptions;
  readonly #pending = new Map<number, Pending>();
  /** Of a directory there is no more than that its handle is open. */
  readonly #handles = new Map<string, OpenFile | 'directory'>();
  /** What relative paths are relative to, as the target said when it was asked for the real path of `.`. */
  #start: Buffer | undefined;

  constructor(options: TransferChannelOptions) {
    this.#options = options;
  }

  get startDirectory(): Buffer | undefined {
    return this.#start;
  }

  pathOf(handle: Buffer): Buffer | undefined {
    return this.#fileOf(handle)?.path;
  }

  /** A request passes. Returns the file whose content follows it, if one does. @throws TransferError where it cannot be followed */
  sent(id: number, request: SftpRequest): OpenFile | undefined {
    if (this.#pending.has(id))
      throw new TransferError('id-reused', `request ${id} was sent again before it was answered`);
    if (this.#pending.size >= maxPending)
      throw new TransferError('too-many-requests', `more than ${maxPending} requests are unanswered`);
    const pending = this.#remember(request);
    this.#pending.set(id, pending);
    if (request.kind !== 'write') return undefined;
    pending.file?.content.begin('write', request.offset);
    return pending.file;
  }

  /** A request that policy refused was answered in the target's place. */
  denied(request: SftpRequest, denial: TransferDenial): void {
    const at = this.#options.now();
    const outcome: OperationOutcome = { kind: 'denied', denial };
    if (request.kind === 'open')
      this.#report({
        operation: 'transfer',
        request: 'OPEN',
        direction: directionOf(request.flags),
        path: Buffer.from(request.path),
        outcome,
        startedAtMs: at,
      });
    else if (request.kind === 'change' || request.kind === 'fsetstat' || request.kind === 'copy') {
      const pending = this.#remember(request);
      this.#reportChange({ ...pending, request }, outcome);
    }
  }

  /** A reply came. Returns the file whose content follows it, if one does. @throws TransferError where nothing had asked for it */
  answered(id: number, type: number, reply: SftpReply): OpenFile | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined)
      throw new TransferError('unexpected-reply', `the target answered request ${id}, which was not made`);
    // Extensions that are not known may be answered by anything but content.
    const isExpected =
      type === SftpType.status ||
      type === pending.answer ||
      (pending.answer === SftpType.extendedReply && type !== SftpType.data && type !== SftpType.handle);
    if (!isExpected)
      throw new TransferError(
        'unexpected-reply',
        `the target answered request ${id} by a message of type ${type}`,
      );
    this.#pending.delete(id);
    return this.#settle(pending, reply);
  }

  /** The channel is over, or not understood any more. */
  end(): void {
    const outcome: OperationOutcome = { kind: 'unfinished' };
    for (const file of new Set(this.#handles.values()))
      if (file !== 'directory') this.#reportFile(file, outcome);
    for (const { request, sentAtMs, ...pending } of this.#pending.values()) {
      if (request.kind === 'change' || request.kind === 'fsetstat' || request.kind === 'copy')
        this.#reportChange({ ...pending, sentAtMs, request }, outcome);
      else if (request.kind === 'open') this.#reportOpen(request, sentAtMs, outcome);
    }
    this.#handles.clear();
    this.#pending.clear();
  }

  #settle(pending: Pending, reply: SftpReply): OpenFile | undefined {
    const { request, file } = pending;
    const failure = failureOf(reply);
    switch (request.kind) {
      case 'open':
        if (reply.kind === 'handle') this.#opened(request, reply.handle, pending.sentAtMs);
        else this.#reportOpen(request, pending.sentAtMs, failure ?? answeredWithoutHandle);
        return undefined;
      case 'opendir':
        if (reply.kind === 'handle') this.#hold(reply.handle, 'directory');
        return undefined;
      case 'close':
        this.#closed(request.handle, file, failure);
        return undefined;
      case 'read':
        return this.#readAnswered(request, file, reply);
      case 'write':
        if (failure !== undefined) file?.content.writeFailed(request.length);
        return undefined;
      case 'fstat':
        if (reply.kind === 'attributes' && reply.attributes.size !== undefined)
          file?.content.hasSize(reply.attributes.size);
        return undefined;
      case 'realpath':
        if (reply.kind === 'name' && reply.name !== undefined) this.#learnStart(request.path, reply.name);
        return undefined;
      case 'change':
      case 'fsetstat':
      case 'copy':
        this.#changed({ ...pending, request }, failure);
        return undefined;
      case 'other':
        return undefined;
    }
  }

  #opened(request: SftpRequest & { readonly kind: 'open' }, handle: Buffer, openedAtMs: number): void {
    const { path, flags } = request;
    const content = new FileContent(
      this.#options.startHasher,
      (flags & (OpenFlag.truncate | OpenFlag.exclusive)) !== 0,
    );
    if ((flags & OpenFlag.append) !== 0) content.spoil('appended');
    this.#hold(handle, { path, direction: directionOf(flags), content, openedAtMs });
  }

  #hold(handle: Buffer, file: OpenFile | 'directory'): void {
    const key = handle.toString('latin1');
    const earlier = this.#handles.get(key);
    if (earlier === undefined && this.#handles.size >= maxHandles)
      throw new TransferError('too-many-handles', `more than ${maxHandles} files are open`);
    // The target gave a handle out again that was not closed: the file before is over all the same.
    if (earlier !== undefined && earlier !== 'directory') this.#reportFile(earlier, { kind: 'unfinished' });
    this.#handles.set(key, file);
  }

  #closed(handle: Buffer, file: OpenFile | undefined, failure: OperationOutcome | undefined): void {
    const key = handle.toString('latin1');
    const held = this.#handles.get(key);
    if (held === 'directory') this.#handles.delete(key);
    // Another file may have got the handle since the request was sent, and a second CLOSE of one file closes nothing.
    if (file === undefined || held !== file) return;
    this.#handles.delete(key);
    this.#reportFile(file, failure ?? { kind: 'success' });
  }

  #readAnswered(
    request: { readonly offset: number; readonly length: number },
    file: OpenFile | undefined,
    reply: SftpReply,
  ): OpenFile | undefined {
    if (reply.kind === 'status' && reply.code === StatusCode.eof) file?.content.endsBefore(request.offset);
    if (reply.kind !== 'data') return undefined;
    if (reply.length > request.length)
      throw new TransferError('unexpected-data', 'the target sent more of a file than was asked for');
    file?.content.begin('read', request.offset);
    return file;
  }

  #changed(
    pending: Pending & { readonly request: FileRequest },
    failure: OperationOutcome | undefined,
  ): void {
    const { request } = pending;
    if (request.kind === 'copy') pending.toFile?.content.spoil('copied');
    if (request.kind === 'fsetstat' && failure === undefined && request.attributes.size !== undefined)
      pending.file?.content.resized(request.attributes.size);
    this.#reportChange(pending, failure ?? { kind: 'success' });
  }

  /** The first answer counts: the directory does not change while the channel lives. */
  #learnStart(asked: Buffer, answer: Buffer): void {
    const isStart = asked.length === 0 || (asked.length === 1 && asked[0] === 0x2e);
    if (isStart && answer[0] === 0x2f) this.#start ??= Buffer.from(answer);
  }

  #remember(request: SftpRequest): Pending {
    const handle = 'handle' in request ? request.handle : request.kind === 'copy' ? request.from : undefined;
    return {
      request: owned(request),
      answer: answerTo(request),
      sentAtMs: request.kind === 'read' || request.kind === 'write' ? 0 : this.#options.now(),
      file: handle === undefined ? undefined : this.#fileOf(handle),
      toFile: request.kind === 'copy' ? this.#fileOf(request.to) : undefined,
    };
  }

  #fileOf(handle: Buffer): OpenFile | undefined {
    const file = this.#handles.get(handle.toString('latin1'));
    return file === 'directory' ? undefined : file;
  }

  #reportFile({ path, direction, content, openedAtMs }: OpenFile, outcome: OperationOutcome): void {
    const operation = { operation: 'transfer', request: 'OPEN', direction, path } as const;
    this.#report({ ...operation, content: content.finish(), outcome, startedAtMs: openedAtMs });
  }

  #reportOpen(
    { path, flags }: { readonly path: Buffer; readonly flags: number },
    startedAtMs: number,
    outcome: OperationOutcome,
  ): void {
    const direction = directionOf(flags);
    this.#report({ operation: 'transfer', request: 'OPEN', direction, path, outcome, startedAtMs });
  }

  #reportChange(
    { request, sentAtMs, file, toFile }: Pending & { readonly request: FileRequest },
    outcome: OperationOutcome,
  ): void {
    switch (request.kind) {
      case 'change': {
        const { change, name, path, newPath, attributes } = request;
        const text = attributesText(attributes);
        const paths = { path: Buffer.from(path), newPath: newPath && Buffer.from(newPath) };
        this.#report({
          operation: change,
          request: name,
          ...paths,
          attributes: text,
          outcome,
          startedAtMs: sentAtMs,
        });
        return;
      }
      case 'fsetstat': {
        const attributes = attributesText(request.attributes);
        const what = { operation: 'setstat', request: 'FSETSTAT', path: file?.path, attributes } as const;
        this.#report({ ...what, outcome, startedAtMs: sentAtMs });
        return;
      }
      case 'copy': {
        const range = `offset=${request.offset},length=${request.length},newOffset=${request.toOffset}`;
        const what = {
          operation: 'copy',
          request: 'copy-data',
          path: file?.path,
          newPath: toFile?.path,
        } as const;
        this.#report({ ...what, attributes: range, outcome, startedAtMs: sentAtMs });
        return;
      }
    }
  }

  #report(operation: Omit<FileOperation, 'protocol' | 'endedAtMs' | 'resolvedPath'>): void {
    const { path } = operation;
    const isRelative = path !== undefined && path[0] !== 0x2f;
    this.#options.report({
      ...operation,
      protocol: 'sftp',
      resolvedPath: isRelative ? absolutePath(path, this.#start) : undefined,
      endedAtMs: this.#options.now(),
    });
  }
}

const answeredWithoutHandle: OperationOutcome = {
  kind: 'failure',
  text: Buffer.from('the target answered without a handle'),
};

function failureOf(reply: SftpReply): OperationOutcome | undefined {
  if (reply.kind !== 'status' || reply.code === StatusCode.ok) return undefined;
  return { kind: 'failure', code: reply.code, text: Buffer.from(reply.text.subarray(0, 256)) };
}

function directionOf(flags: number): TransferDirection {
  const writes = (flags & (OpenFlag.write | OpenFlag.append)) !== 0;
  const reads = (flags & OpenFlag.read) !== 0;
  return writes && reads ? 'both' : writes ? 'upload' : 'download';
}

/** The request with buffers of its own. READ and WRITE, which come for each block, keep none: their file is known. */
function owned(request: SftpRequest): SftpRequest {
  switch (request.kind) {
    case 'open':
    case 'realpath':
      return { ...request, path: Buffer.from(request.path) };
    case 'close':
    case 'fstat':
    case 'fsetstat':
      return { ...request, handle: Buffer.from(request.handle) };
    case 'read':
    case 'write':
      return { ...request, handle: none };
    case 'copy':
      return { ...request, from: none, to: none };
    case 'change':
      return {
        ...request,
        path: Buffer.from(request.path),
        ...(request.newPath === undefined ? {} : { newPath: Buffer.from(request.newPath) }),
      };
    case 'opendir':
    case 'other':
      return request;
  }
}

const none = Buffer.alloc(0);
