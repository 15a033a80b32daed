import { Duplex } from 'node:stream';
import {
  type ChannelRequest,
  type EncodableChannelRequest,
  encodeChannelFailure,
  encodeChannelRequest,
  encodeChannelSuccess,
  encodeClose,
  encodeEof,
  encodeWindowAdjust,
} from '../connection/index.ts';
import { AnswerLine } from './answer-line.ts';
import { EndpointError } from './endpoint-error.ts';
import { Inflow } from './inflow.ts';
import { Outflow } from './outflow.ts';

/** What we grant on every channel, as OpenSSH does. */
export const channelWindowBytes = 2 * 1024 * 1024;
export const channelPacketBytes = 32 * 1024;
/** Credit is given back in parts of the window, not packet by packet. */
const adjustBytes = channelWindowBytes / 4;
const maxPendingRequests = 128;
/** What was not asked for waits in `Inflow`, which keeps small packets together, and not in Node's list of chunks. */
const streamOptions = { allowHalfOpen: true, autoDestroy: false, readableHighWaterMark: 1 } as const;

/** How a session's command ended (RFC 4254 §6.10). */
export type CommandExit =
  | { readonly kind: 'status'; readonly status: number }
  | {
      readonly kind: 'signal';
      readonly signal: string;
      readonly coreDumped: boolean;
      readonly message: string;
    };

/** Both ends' numbers and windows of an open channel. */
export type ChannelTerms = {
  readonly type: string;
  readonly localChannel: number;
  readonly remoteChannel: number;
  readonly window: number;
  readonly maximumPacket: number;
  /** We sent the CHANNEL_OPEN. */
  readonly isOpener: boolean;
};

/** What a channel needs of the connection it belongs to. */
export type ChannelConnection = {
  readonly send: (payload: Buffer) => void;
  readonly sendData: (payload: Buffer) => void;
  /** Whether data may be sent now; where it may not, `flush` is called when it may. */
  readonly maySendData: (channel: EndpointChannel) => boolean;
  /** Both CLOSEs have passed: the number means nothing any more. */
  readonly forget: (localChannel: number) => void;
};

/**
 * Our end of a channel. As a Duplex it is the channel's data; `stderr` is the extended data, read by the opener of a session
 * and written by the end that runs the command. Both share the channel's window, so an unread `stderr` stalls the data too.
 *
 * `end()` sends EOF behind what was written to both; the other direction stays open (RFC 4254 §5.3). CLOSE follows `exit`,
 * `close`, `destroy`, the peer's CLOSE, and, other than on sessions, both EOFs. An 'error' nobody listens for is not fatal:
 * a peer that goes away is no fault of this process.
 */
export class EndpointChannel extends Duplex {
  readonly type: string;
  /** First exit-status or exit-signal; undefined when the channel closed without. */
  readonly exited: Promise<CommandExit | undefined>;
  /** The peer closed the channel, the connection ended, or this end destroyed it. Never rejects. */
  readonly over: Promise<void>;
  /** Decides the peer's requests, one after the other; with none set they fail. */
  onRequest: ((request: ChannelRequest) => boolean | Promise<boolean>) | undefined;

  readonly #terms: ChannelTerms;
  readonly #connection: ChannelConnection;
  readonly #inflow: Inflow;
  readonly #outflow: Outflow;
  readonly #answers: AnswerLine<boolean>;
  /** Requests whose reply is still to be sent, which must not come behind our CLOSE. */
  #unanswered = 0;
  readonly #replies: ((reply: boolean | EndpointError) => void)[] = [];
  readonly #settleExited: (exit: CommandExit | undefined) => void;
  readonly #settleOver: () => void;
  #stderr: StderrStream | undefined;
  #window = channelWindowBytes;
  #credit = 0;
  #exit: CommandExit | undefined;
  #closeWanted = false;
  #eofSent = false;
  #eofReceived = false;
  #closeSent = false;
  #closeReceived = false;

  constructor(terms: ChannelTerms, connection: ChannelConnection) {
    super(streamOptions);
    this.type = terms.type;
    this.#terms = terms;
    this.#connection = connection;
    this.#inflow = new Inflow(this, (bytes) => this.#taken(bytes));
    this.#outflow = new Outflow({
      ...terms,
      send: connection.sendData,
      isHeld: () => this.#closeSent || !connection.maySendData(this),
    });
    this.#answers = new AnswerLine((error) => this.destroy(asError(error)));
    const exited = Promise.withResolvers<CommandExit | undefined>();
    const over = Promise.withResolvers<void>();
    this.exited = exited.promise;
    this.#settleExited = exited.resolve;
    this.over = over.promise;
    this.#settleOver = over.resolve;
    this.on('error', () => undefined);
    this.on('end', () => this.#settle());
  }

  /** Extended data of type 1 (RFC 4254 §5.2). */
  get stderr(): Duplex {
    return this.#stderrStream();
  }

  /** Resolves with the peer's answer, or with true at once where none is wanted. Rejects with EndpointError when the channel closes first. */
  request(type: string, detail: EncodableChannelRequest['detail'], wantReply: boolean): Promise<boolean> {
    if (this.#closeSent || this.#closeReceived) return Promise.reject(channelClosed());
    if (this.#replies.length >= maxPendingRequests)
      return Promise.reject(
        new EndpointError('too-many-requests', `${maxPendingRequests} requests wait for an answer already`),
      );
    this.#connection.send(encodeChannelRequest(this.#terms.remoteChannel, { type, wantReply, detail }));
    if (!wantReply) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      this.#replies.push((reply) => (typeof reply === 'boolean' ? resolve(reply) : reject(reply)));
    });
  }

  /** Ends a session as the end that ran the command: what was written, EOF, the exit message, CLOSE. */
  exit(exit: CommandExit): void {
    this.#exit ??= exit;
    this.close();
  }

  /** What was written, EOF, CLOSE. */
  close(): void {
    this.#closeWanted = true;
    if (!this.writableEnded) this.end();
    this.#closeIfDone();
  }

  override _read(): void {
    this.#inflow.read();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#outflow.write('data', chunk, done);
    this.#settle();
  }

  override _final(done: (error?: Error | null) => void): void {
    const finish = (): void => {
      this.#sendEof();
      done();
    };
    const stderr = this.#stderr;
    if (stderr === undefined || stderr.writableFinished || stderr.destroyed) return finish();
    stderr.once('finish', finish);
    stderr.end();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#sendClose();
    this.#inflow.discard();
    this.#outflow.fail(error ?? channelClosed());
    // Behind an orderly close, stderr may still be waiting for its reader.
    if (error !== null || !this.#closeReceived) this.#stderr?.destroy();
    this.#conclude();
    done(error);
  }

  /** CHANNEL_DATA or, of any type, CHANNEL_EXTENDED_DATA. @throws EndpointError for more than was granted. */
  receiveData(stream: 'data' | 'stderr' | 'unknown', data: Buffer): void {
    if (this.#eofReceived) throw new EndpointError('protocol', 'data came behind the end of data');
    if (data.length > channelPacketBytes)
      throw new EndpointError('protocol', 'a data packet is larger than this end allows');
    if (data.length > this.#window)
      throw new EndpointError('protocol', 'more data came than the window allows');
    this.#window -= data.length;
    if (this.#closeSent || this.destroyed) return;
    if (stream === 'data') this.#inflow.deliver(data);
    else if (stream === 'stderr') this.#stderrStream().inflow.deliver(data);
    else this.#taken(data.length);
  }

  receiveAdjust(bytes: number): void {
    this.#outflow.adjust(bytes);
  }

  receiveEof(): void {
    this.#eofReceived = true;
    this.#endReading();
    this.#closeIfDone();
  }

  receiveClose(): void {
    this.#closeReceived = true;
    this.#sendClose();
    this.#endReading();
    this.#connection.forget(this.#terms.localChannel);
    this.#conclude();
    this.#settle();
  }

  receiveRequest(request: ChannelRequest): void {
    const { detail } = request;
    if (this.#closeSent) return;
    if (this.#terms.isOpener && (detail.kind === 'exit-status' || detail.kind === 'exit-signal')) {
      this.#settleExited(
        detail.kind === 'exit-status'
          ? { kind: 'status', status: detail.status }
          : {
              kind: 'signal',
              signal: detail.signal,
              coreDumped: detail.coreDumped,
              message: detail.message,
            },
      );
      if (request.wantReply) this.#answer(true);
      return;
    }
    this.#unanswered += 1;
    const taken = this.#answers.add(
      () => this.onRequest?.(request) ?? false,
      (success) => {
        this.#unanswered -= 1;
        if (request.wantReply) this.#answer(success);
        this.#closeIfDone();
      },
    );
    if (!taken) throw new EndpointError('protocol', 'too many channel requests came at once');
  }

  receiveReply(success: boolean): void {
    const reply = this.#replies.shift();
    if (reply === undefined) throw new EndpointError('protocol', 'a reply came that nothing had asked for');
    reply(success);
  }

  /** The connection has room again. */
  flush(): void {
    this.#outflow.flush();
  }

  connectionEnded(error: EndpointError): void {
    this.#closeSent = true;
    this.#closeReceived = true;
    this.destroy(error);
  }

  #stderrStream(): StderrStream {
    if (this.#stderr !== undefined) return this.#stderr;
    const stderr = new StderrStream(
      (chunk, done) => {
        this.#outflow.write('stderr', chunk, done);
        this.#settle();
      },
      (bytes) => this.#taken(bytes),
    );
    this.#stderr = stderr;
    if (this.#eofReceived || this.#closeReceived) stderr.inflow.end();
    if (this.destroyed) stderr.destroy();
    else if (this.#eofSent) stderr.end();
    return stderr;
  }

  #taken(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit < adjustBytes || this.#eofReceived || this.#closeSent) return;
    this.#window += this.#credit;
    this.#connection.send(encodeWindowAdjust(this.#terms.remoteChannel, this.#credit));
    this.#credit = 0;
  }

  #endReading(): void {
    this.#inflow.end();
    this.#stderr?.inflow.end();
  }

  #answer(success: boolean): void {
    if (this.#closeSent) return;
    const encode = success ? encodeChannelSuccess : encodeChannelFailure;
    this.#connection.send(encode(this.#terms.remoteChannel));
  }

  #sendEof(): void {
    if (this.#eofSent || this.#closeSent) return;
    this.#eofSent = true;
    this.#connection.send(encodeEof(this.#terms.remoteChannel));
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (!this.#eofSent || this.#closeSent || this.#unanswered > 0) return;
    if (this.#closeWanted || (this.#terms.type !== 'session' && this.#eofReceived)) this.#sendClose();
  }

  #sendClose(): void {
    if (this.#closeSent) return;
    const exit = this.#exit;
    if (exit !== undefined && this.#eofSent)
      this.#connection.send(
        encodeChannelRequest(this.#terms.remoteChannel, {
          type: exit.kind === 'status' ? 'exit-status' : 'exit-signal',
          wantReply: false,
          detail:
            exit.kind === 'status' ? { ...exit, kind: 'exit-status' } : { ...exit, kind: 'exit-signal' },
        }),
      );
    this.#closeSent = true;
    this.#connection.send(encodeClose(this.#terms.remoteChannel));
  }

  /** What waits for the peer waits in vain. */
  #conclude(): void {
    this.#settleExited(undefined);
    this.#settleOver();
    for (const reply of this.#replies.splice(0)) reply(channelClosed());
  }

  /** After the peer's CLOSE: what came stays readable; writers learn that nobody takes their data. */
  #settle(): void {
    if (!this.#closeReceived || this.destroyed) return;
    const hasWriters = !this.#outflow.idle;
    const isRead = this.readableEnded || (this.#inflow.empty && this.readableLength === 0);
    if (hasWriters && isRead) this.destroy(channelClosed());
    else if (this.readableEnded) this.destroy();
  }
}

/** The extended data of a channel, read or written. */
class StderrStream extends Duplex {
  readonly inflow: Inflow;
  readonly #writeOut: (chunk: Buffer, done: (error?: Error | null) => void) => void;

  constructor(
    writeOut: (chunk: Buffer, done: (error?: Error | null) => void) => void,
    onTaken: (bytes: number) => void,
  ) {
    super(streamOptions);
    this.#writeOut = writeOut;
    this.inflow = new Inflow(this, onTaken);
    this.on('error', () => undefined);
  }

  override _read(): void {
    this.inflow.read();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#writeOut(chunk, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.inflow.discard();
    done(error);
  }
}

function channelClosed(): EndpointError {
  return new EndpointError('channel-closed', 'the channel is closed');
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('a request could not be decided', { cause: error });
}
