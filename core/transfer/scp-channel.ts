import { FileContent } from './file-content.ts';
import type { FileOperation, OperationOutcome, TransferDenial, TransferredBytes } from './file-operation.ts';
import type { Passage } from './passage.ts';
import { type ScpAnswer, ScpAnswers } from './scp-answers.ts';
import { type ScpRecord, ScpSource } from './scp-source.ts';
import type { TransferChannel, TransferChannelOptions, TransferVerdict } from './transfer-channel.ts';
import type { TransferCommand } from './transfer-command.ts';
import { TransferError } from './transfer-error.ts';
import { denialOfFile, isGuarding } from './transfer-guard.ts';

/**
 * The protocol scp had before it took SFTP (`scp -O`), in either direction. A file or directory the guard refuses is answered in the
 * receiving side's place by an error; the sending side leaves it out and goes on with the next.
 */
export function createScpChannel(options: TransferChannelOptions, command: TransferCommand): TransferChannel {
  return new ScpChannel(options, command);
}

/** What an answer is awaited for. */
type Awaited =
  | { readonly kind: 'start' | 'other' }
  | { readonly kind: 'file' | 'content'; readonly file: SentFile }
  | { readonly kind: 'directory'; readonly path: Buffer; readonly line: Buffer; readonly sentAtMs: number };

type SentFile = {
  readonly path: Buffer;
  readonly line: Buffer;
  readonly content: FileContent;
  readonly sentAtMs: number;
  /** What the sending side said of it after its content. */
  error?: Buffer | undefined;
};

type FileRecord = Extract<ScpRecord, { readonly kind: 'file' | 'directory' }>;

const maxAwaited = 64;
const maxDepth = 256;
const pass: TransferVerdict = { kind: 'pass' };

class ScpChannel implements TransferChannel {
  readonly #options: TransferChannelOptions;
  readonly #direction: 'upload' | 'download';
  readonly #command: TransferCommand;
  readonly #source: ScpSource;
  readonly #answers: ScpAnswers;
  #awaited: Awaited[] = [{ kind: 'start' }];
  /** The directories entered, from the command's path on. */
  readonly #directories: Buffer[] = [];
  #file: SentFile | undefined;
  #back: Buffer[] = [];
  #over = false;

  constructor(options: TransferChannelOptions, command: TransferCommand) {
    this.#options = options;
    this.#command = command;
    this.#direction = command.direction === 'upload' ? 'upload' : 'download';
    this.#source = new ScpSource({
      holds: () => isGuarding(options.guard),
      record: (record) => this.#record(record),
      content: (piece) => this.#file?.content.block(this.#way, piece),
      contentEnded: (error) => this.#contentEnded(error),
    });
    this.#answers = new ScpAnswers((answer) => this.#answered(answer));
  }

  fromClient(data: Buffer): TransferVerdict {
    return this.#direction === 'upload' ? this.#fromSource(data) : this.#fromSink(data);
  }

  fromTarget(data: Buffer): TransferVerdict {
    return this.#direction === 'upload' ? this.#fromSink(data) : this.#fromSource(data);
  }

  end(): void {
    this.#over = true;
    const outcome: OperationOutcome = { kind: 'unfinished' };
    const files = this.#awaited.flatMap((awaited) => ('file' in awaited ? [awaited.file] : []));
    if (this.#file !== undefined && !files.includes(this.#file)) files.push(this.#file);
    for (const file of files) this.#reportFile(file, outcome);
    for (const awaited of this.#awaited)
      if (awaited.kind === 'directory') this.#reportDirectory(awaited, outcome);
    this.#awaited = [];
    this.#file = undefined;
  }

  get #way(): 'read' | 'write' {
    return this.#direction === 'upload' ? 'write' : 'read';
  }

  #fromSource(data: Buffer): TransferVerdict {
    if (this.#over) return this.#blind();
    const passage = this.#source.read(data);
    if (this.#source.fault !== undefined) return this.#lost(this.#source.fault, passage);
    const back = this.#back;
    this.#back = [];
    return passage === undefined ? pass : { kind: 'replace', ...passage, back };
  }

  #fromSink(data: Buffer): TransferVerdict {
    if (this.#over) return this.#blind();
    this.#answers.read(data);
    return this.#answers.fault === undefined ? pass : this.#lost(this.#answers.fault, undefined);
  }

  #record(
    record: ScpRecord,
  ): { readonly fate: 'pass' } | { readonly fate: 'drop'; readonly instead: Buffer } {
    switch (record.kind) {
      case 'file':
      case 'directory': {
        const path = this.#pathOf(record);
        const denial = this.#denialOf(record, path);
        if (denial !== undefined) return this.#refuse(record, path, denial);
        this.#passes(record, path);
        break;
      }
      case 'directory-end':
        this.#directories.pop();
        this.#await({ kind: 'other' });
        break;
      case 'times':
        this.#await({ kind: 'other' });
        break;
      // Nobody answers it.
      case 'error':
        this.#reportError(record.text);
        break;
    }
    return { fate: 'pass' };
  }

  #passes(record: FileRecord, path: Buffer): void {
    const { line } = record;
    const sentAtMs = this.#options.now();
    if (record.kind === 'directory') {
      if (this.#directories.length >= maxDepth)
        throw new TransferError('too-many-handles', `directories are more than ${maxDepth} deep`);
      this.#directories.push(path);
      this.#await({ kind: 'directory', path, line, sentAtMs });
      return;
    }
    const content = new FileContent(this.#options.startHasher, true);
    content.hasSize(record.size);
    content.begin(this.#way, 0);
    this.#file = { path, line, content, sentAtMs };
    this.#await({ kind: 'file', file: this.#file });
  }

  #contentEnded(error: Buffer | undefined): void {
    const file = this.#file;
    if (file === undefined) return;
    file.error = error && Buffer.from(error);
    this.#file = undefined;
    this.#await({ kind: 'content', file });
  }

  #await(awaited: Awaited): void {
    if (this.#awaited.length >= maxAwaited)
      throw new TransferError('too-many-requests', 'scp goes on without waiting for answers');
    this.#awaited.push(awaited);
  }

  #answered(answer: ScpAnswer): void {
    const awaited = this.#awaited.shift();
    if (awaited === undefined && !answer.ok) return this.#reportError(answer.text);
    if (awaited === undefined)
      throw new TransferError('unexpected-reply', 'the receiving side of scp answered without being asked');
    const outcome: OperationOutcome = answer.ok
      ? { kind: 'success' }
      : { kind: 'failure', text: answer.text };
    switch (awaited.kind) {
      case 'start':
      case 'other':
        if (!answer.ok) this.#reportError(answer.text);
        return;
      case 'directory':
        // What is not entered is not left either.
        if (!answer.ok) this.#directories.pop();
        this.#reportDirectory(awaited, outcome);
        return;
      case 'file':
        if (answer.ok) return;
        this.#reportFile(awaited.file, outcome);
        this.#file = undefined;
        this.#source.skipContent();
        return;
      case 'content': {
        const { error } = awaited.file;
        this.#reportFile(awaited.file, error === undefined ? outcome : { kind: 'failure', text: error });
        return;
      }
    }
  }

  /**
   * Below the directories entered, by name; else what the command names, for only the target knows whether that is a directory. A
   * directory's own path is taken to be in what the command names.
   */
  #pathOf({ kind, name }: FileRecord): Buffer {
    const directory = this.#directories.at(-1);
    if (directory !== undefined) return joined(directory, name);
    const base = this.#base;
    const isInside = kind === 'directory' || this.#namesDirectory;
    return this.#direction === 'upload' && isInside ? joined(base, name) : this.#downloaded(base, name);
  }

  /** A download's path is that of the command where it is one file's, and by name below it where it is several's. */
  #downloaded(base: Buffer, name: Buffer): Buffer {
    if (this.#direction === 'upload') return base;
    if (!this.#command.expands && this.#command.paths.length === 1) return base;
    return joined(directoryOf(base), name);
  }

  get #base(): Buffer {
    const { paths } = this.#command;
    const own = this.#direction === 'download' ? paths.find((path) => path !== '') : paths.at(-1);
    return Buffer.from(own ?? '');
  }

  get #namesDirectory(): boolean {
    return this.#command.names === 'directory' || this.#base.at(-1) === slash;
  }

  #denialOf(record: FileRecord, path: Buffer): TransferDenial | undefined {
    const { guard } = this.#options;
    if (!isGuarding(guard)) return undefined;
    const more = record.kind === 'file' ? { bytes: record.size } : {};
    const inside = joined(this.#directories.at(-1) ?? this.#base, record.name);
    // Whichever it turns out to be, and for a download also by the name it would get.
    for (const candidate of path.equals(inside) ? [path] : [path, inside]) {
      const denial = denialOfFile(guard, this.#direction, candidate, undefined, more);
      if (denial !== undefined) return denial;
    }
    return undefined;
  }

  #refuse(
    record: FileRecord,
    path: Buffer,
    denial: TransferDenial,
  ): { readonly fate: 'drop'; readonly instead: Buffer } {
    if (this.#awaited.length > 0 || !this.#answers.isBetween)
      throw new TransferError('too-many-requests', 'scp goes on without waiting for answers');
    const at = this.#options.now();
    this.#report({
      operation: record.kind === 'file' ? 'transfer' : 'mkdir',
      request: Buffer.from(record.line),
      path,
      outcome: { kind: 'denied', denial },
      startedAtMs: at,
    });
    const error = errorRecord(denial.message);
    this.#back.push(error);
    // Of a download the engineer's side knows nothing yet; its end of the protocol prints this and counts it as an error.
    return { fate: 'drop', instead: this.#direction === 'download' ? error : none };
  }

  #reportFile(file: SentFile, outcome: OperationOutcome): void {
    const { path, line, content, sentAtMs } = file;
    this.#report({
      operation: 'transfer',
      request: line,
      path,
      content: content.finish(),
      outcome,
      startedAtMs: sentAtMs,
    });
  }

  /** Towards the target a directory is made; from it, only read. */
  #reportDirectory(
    { path, line, sentAtMs }: Extract<Awaited, { readonly kind: 'directory' }>,
    outcome: OperationOutcome,
  ): void {
    if (this.#direction === 'download') return;
    this.#report({ operation: 'mkdir', request: line, path, outcome, startedAtMs: sentAtMs });
  }

  #reportError(text: Buffer): void {
    const at = this.#options.now();
    const path = this.#directories.at(-1) ?? this.#base;
    const outcome: OperationOutcome = { kind: 'failure', text: Buffer.from(text) };
    this.#report({ operation: 'transfer', request: '', path, outcome, startedAtMs: at });
  }

  #report(what: {
    readonly operation: FileOperation['operation'];
    readonly request: string | Buffer;
    readonly path: Buffer;
    readonly content?: TransferredBytes;
    readonly outcome: OperationOutcome;
    readonly startedAtMs: number;
  }): void {
    const { now, report } = this.#options;
    report({ protocol: 'scp', direction: this.#direction, ...what, endedAtMs: now() });
  }

  #lost(fault: TransferError, passage: Passage | undefined): TransferVerdict {
    this.end();
    const at = this.#options.now();
    const message = `what is sent is not the scp that is understood here: ${fault.message}`;
    this.#options.report({
      protocol: 'scp',
      operation: 'unparsed',
      request: 'scp',
      direction: this.#direction,
      path: this.#base,
      outcome: { kind: 'unparsed', code: fault.code, message },
      startedAtMs: at,
      endedAtMs: at,
    });
    if (isGuarding(this.#options.guard)) return { kind: 'refuse', message };
    return passage === undefined ? pass : { kind: 'replace', ...passage, back: [] };
  }

  #blind(): TransferVerdict {
    if (!isGuarding(this.#options.guard)) return pass;
    return { kind: 'refuse', message: 'policy speaks of single files, and this transfer is not understood' };
  }
}

const slash = 0x2f;
const none = Buffer.alloc(0);

function joined(directory: Buffer, name: Buffer): Buffer {
  const isOpen = directory.length === 0 || directory.at(-1) === slash;
  return Buffer.concat([directory, isOpen ? none : Buffer.of(slash), name]);
}

function directoryOf(path: Buffer): Buffer {
  return path.subarray(0, path.lastIndexOf(slash) + 1);
}

/** One line, whatever the message says. */
function errorRecord(message: string): Buffer {
  const text = `sshtrail: ${message}`.slice(0, 200).toWellFormed();
  return Buffer.from(`\x01${text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ')}\n`);
}
