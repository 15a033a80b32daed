import type { Passage } from './passage.ts';
import { type FrameListener, SftpFrames } from './sftp-frames.ts';
import { type OpenFile, SftpLedger } from './sftp-ledger.ts';
import {
  encodeStatus,
  parseReply,
  parseRequest,
  replyHeadBytes,
  requestHeadBytes,
  type SftpRequest,
  SftpType,
  StatusCode,
} from './sftp-message.ts';
import type { TransferChannel, TransferChannelOptions, TransferVerdict } from './transfer-channel.ts';
import { TransferError } from './transfer-error.ts';
import { denialOfRequest, isGuarding } from './transfer-guard.ts';

/** The version of draft-ietf-secsh-filexfer-02, which all servers speak and OpenSSH's alone. */
const version = 3;
/** Of later drafts, but OpenSSH's servers say it in version 3 too. */
const operationUnsupported = 8;
/** Answers of ours that wait for the end of one of the target's. */
const maxWaitingBytes = 32_768;
const maxMessageCharacters = 200;

/**
 * SFTP, read both ways. Nothing is changed but the version a client asks for, which is held down to the one that is understood here,
 * and what the guard refuses: that is answered with PERMISSION_DENIED and never reaches the target.
 */
export function createSftpChannel(options: TransferChannelOptions): TransferChannel {
  return new SftpChannel(options);
}

class SftpChannel implements TransferChannel {
  readonly #options: TransferChannelOptions;
  readonly #ledger: SftpLedger;
  readonly #requests: SftpFrames;
  readonly #replies: SftpFrames;
  #uploading: OpenFile | undefined;
  #downloading: OpenFile | undefined;
  #asked = false;
  #greeted = false;
  #over = false;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  constructor(options: TransferChannelOptions) {
    this.#options = options;
    this.#ledger = new SftpLedger(options);
    this.#requests = new SftpFrames(this.#requestListener());
    this.#replies = new SftpFrames(this.#replyListener());
  }

  fromClient(data: Buffer): TransferVerdict {
    if (this.#over) return this.#blind();
    const passage = this.#requests.read(data);
    const fault = this.#requests.fault;
    if (fault !== undefined) return this.#lost('the client', fault, passage);
    const back = this.#replies.isBetween ? this.#takeWaiting() : undefined;
    if (passage === undefined && back === undefined) return pass;
    const forward = passage ?? { onward: [data], dropped: 0, added: 0 };
    return { kind: 'replace', ...forward, back: back === undefined ? [] : [back] };
  }

  fromTarget(data: Buffer): TransferVerdict {
    if (this.#over) return this.#blind();
    const passage = this.#replies.read(data);
    const fault = this.#replies.fault;
    if (fault !== undefined) return this.#lost('the target', fault, passage);
    const behind = this.#replies.isBetween ? this.#takeWaiting() : undefined;
    if (passage === undefined && behind === undefined) return pass;
    const { onward, dropped, added } = passage ?? { onward: [data], dropped: 0, added: 0 };
    return behind === undefined
      ? { kind: 'replace', onward, dropped, added, back: [] }
      : { kind: 'replace', onward: [...onward, behind], dropped, added: added + behind.length, back: [] };
  }

  end(): void {
    this.#over = true;
    this.#ledger.end();
  }

  #requestListener(): FrameListener {
    return {
      // The first one, since the version in it may be changed.
      holds: () => !this.#asked || isGuarding(this.#options.guard),
      headBytes: requestHeadBytes,
      head: (head, frameBytes, held) => this.#request(head, frameBytes, held),
      body: (piece) => this.#uploading?.content.block('write', piece),
      between: () => undefined,
    };
  }

  #replyListener(): FrameListener {
    return {
      holds: () => false,
      headBytes: replyHeadBytes,
      head: (head, frameBytes) => {
        this.#reply(head, frameBytes);
        return 'pass';
      },
      body: (piece) => this.#downloading?.content.block('read', piece),
      between: () => this.#takeWaiting(),
    };
  }

  #request(head: Buffer, frameBytes: number, held: boolean): 'pass' | 'drop' {
    this.#uploading = undefined;
    if (!this.#asked) {
      this.#asked = true;
      holdDownVersion(head);
      return 'pass';
    }
    const { id, request } = parseRequest(head);
    if (held && isGuarding(this.#options.guard) && this.#isRefused(id, request)) return 'drop';
    if (request.kind === 'write') checkBlock(request.length, head, frameBytes);
    this.#uploading = this.#ledger.sent(id, request);
    return 'pass';
  }

  #isRefused(id: number, request: SftpRequest): boolean {
    if (request.kind === 'other' && !request.isKnown) {
      this.#answer(encodeStatus(id, operationUnsupported, 'sshtrail: this extension is not passed on'));
      return true;
    }
    const handlePath = request.kind === 'fsetstat' ? this.#ledger.pathOf(request.handle) : undefined;
    const denial = denialOfRequest(this.#options.guard, request, handlePath, this.#ledger.startDirectory);
    if (denial === undefined) return false;
    this.#ledger.denied(request, denial);
    const text = `sshtrail: ${denial.message}`.slice(0, maxMessageCharacters);
    this.#answer(encodeStatus(id, StatusCode.permissionDenied, text.toWellFormed()));
    return true;
  }

  #reply(head: Buffer, frameBytes: number): void {
    this.#downloading = undefined;
    if (!this.#greeted) {
      this.#greeted = true;
      checkVersion(head);
      return;
    }
    const { type, id, reply } = parseReply(head);
    if (reply.kind === 'data') checkBlock(reply.length, head, frameBytes);
    this.#downloading = this.#ledger.answered(id, type, reply);
  }

  /** Goes to the client where no reply of the target's has begun, so that it does not end up within one. */
  #answer(frame: Buffer): void {
    this.#waitingBytes += frame.length;
    if (this.#waitingBytes > maxWaitingBytes)
      throw new TransferError('too-many-requests', 'too many refused requests wait for their answer');
    this.#waiting.push(frame);
  }

  #takeWaiting(): Buffer | undefined {
    if (!this.#greeted || this.#waiting.length === 0) return undefined;
    const frames = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    return frames;
  }

  #lost(side: string, fault: TransferError, passage: Passage | undefined): TransferVerdict {
    this.#over = true;
    const at = this.#options.now();
    const message = `${side} does not speak the SFTP that is understood here: ${fault.message}`;
    this.#ledger.end();
    this.#options.report({
      protocol: 'sftp',
      operation: 'unparsed',
      request: 'SFTP',
      outcome: { kind: 'unparsed', code: fault.code, message },
      startedAtMs: at,
      endedAtMs: at,
    });
    if (isGuarding(this.#options.guard)) return { kind: 'refuse', message };
    return passage === undefined ? pass : { kind: 'replace', ...passage, back: [] };
  }

  /** What is not understood cannot be judged. */
  #blind(): TransferVerdict {
    if (!isGuarding(this.#options.guard)) return pass;
    return { kind: 'refuse', message: 'policy speaks of single files, and this transfer is not understood' };
  }
}

const pass: TransferVerdict = { kind: 'pass' };

function holdDownVersion(head: Buffer): void {
  if (head[0] !== SftpType.init || head.length < 5 || head.readUInt32BE(1) < version)
    throw new TransferError('version', `it does not begin with INIT of version ${version} or later`);
  head.writeUInt32BE(version, 1);
}

function checkVersion(head: Buffer): void {
  if (head[0] !== SftpType.version || head.length < 5 || head.readUInt32BE(1) !== version)
    throw new TransferError('version', `the answer to INIT is not version ${version}`);
}

/** WRITE and DATA end where their block does. */
function checkBlock(length: number, head: Buffer, frameBytes: number): void {
  if (length !== frameBytes - head.length)
    throw new TransferError('malformed', 'the length of a block is not that of its message');
}
