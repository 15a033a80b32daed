import { giveBack } from '../algorithms/index.ts';
import { MessageNumber } from '../wire/index.ts';
import { BacklogMonitor, type BacklogSource } from './backlog-monitor.ts';
import type {
  ByteLink,
  ByteLinkEvents,
  NegotiatedAlgorithms,
  Role,
  Transport,
  TransportEnd,
  TransportOptions,
} from './contract.ts';
import { ExchangeDriver, type ExchangeEvents } from './exchange-driver.ts';
import { clientExtensionInfo, parseExtensionInfo, serverExtensionInfo } from './extension-info.ts';
import { enterTurn, type Flushable, flushLater, leaveTurn } from './flush-turn.ts';
import { IdentificationReader } from './identification.ts';
import { type InletEvents, type MessageHandler, MessageInlet } from './message-inlet.ts';
import { OutputQueue } from './output-queue.ts';
import { PacketReader } from './packet-reader.ts';
import { PacketWriter } from './packet-writer.ts';
import { PeerAllowance, unreadReplies } from './peer-allowance.ts';
import { printableLine } from './printable-line.ts';
import { ReadingGate } from './reading-gate.ts';
import { SendQueue } from './send-queue.ts';
import { closedEnd, disconnectEnd, errorFrom, faultEnd, localEnd } from './transport-end.ts';
import { TransportError } from './transport-error.ts';
import { MAX_PACKET_LENGTH, UNREAD_REPLY_MS } from './transport-limits.ts';
import { disconnectMessage, pongMessage, unimplementedMessage } from './transport-message.ts';
import { settingsFrom, type TransportSettings } from './transport-settings.ts';

/**
 * Starts a transport over a link: the identification is sent at once, the key exchange follows the peer's.
 *
 * @throws TransportError `bad-options`.
 */
export function createTransport(link: ByteLink, options: TransportOptions): Transport {
  const transport = new SshTransport(link, settingsFrom(options));
  transport.open();
  return transport;
}

// What is left to write after a fault or the peer's own DISCONNECT gets this long without progress.
const LAST_WORDS_MS = 500;

/**
 * What only the parts of a transport call is public here and not in `Transport`. They are given the transport itself: functions that
 * speak for it would take a kilobyte of every idle connection.
 */
class SshTransport
  implements Transport, Flushable, ByteLinkEvents, BacklogSource, InletEvents, ExchangeEvents
{
  readonly role: Role;
  readonly ready: Promise<void>;
  readonly ended: Promise<TransportEnd>;
  onBacklog: ((congested: boolean) => void) | undefined;
  readonly #settings: TransportSettings;
  readonly #link: ByteLink;
  readonly #output: OutputQueue;
  readonly #writer: PacketWriter;
  readonly #reader = new PacketReader();
  readonly #gate: ReadingGate;
  readonly #inlet: MessageInlet;
  readonly #queue = new SendQueue();
  readonly #allowance: PeerAllowance;
  readonly #backlog: BacklogMonitor;
  /** Runs while the peer takes none of the answers it asked for. */
  #unread: NodeJS.Timeout | undefined;
  readonly #exchange: ExchangeDriver;
  readonly #readiness = Promise.withResolvers<void>();
  readonly #ending = Promise.withResolvers<TransportEnd>();
  #identification: IdentificationReader | undefined;
  /** `closing`: DISCONNECT waits for a key exchange; `leaving`: it was written; `over`: `ended` is settled. */
  #phase: 'open' | 'closing' | 'leaving' | 'over' = 'open';
  #localEnd: TransportEnd | undefined;
  #goodbyeMs = 0;
  /** The grace with which the link ends at the next flush. */
  #linkEndMs: number | undefined;
  #linkClosed = false;
  #deadline: NodeJS.Timeout | undefined;
  /** The peer closed in order while messages of it wait for a release. */
  #peerClosed = false;
  #dirty = false;
  #remoteIdentification = '';
  #peerSignatureAlgorithms: readonly string[] | undefined;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(link: ByteLink, settings: TransportSettings) {
    this.#settings = settings;
    this.role = settings.options.role;
    this.#link = link;
    this.#allowance = new PeerAllowance(settings.limits);
    this.#output = new OutputQueue(link, this);
    this.#writer = new PacketWriter(this.#output);
    this.#gate = new ReadingGate(link);
    this.#identification = new IdentificationReader(this.role);
    this.ready = this.#readiness.promise;
    this.ended = this.#ending.promise;
    // `ended` tells the same; nobody has to listen to both.
    this.ready.catch(() => undefined);
    this.#inlet = new MessageInlet(this.#reader, this.#gate, settings.limits.turnBytes, this);
    this.#backlog = new BacklogMonitor(this, settings.limits);
    this.#exchange = new ExchangeDriver(settings, this.#reader, this.#writer, this);
  }

  open(): void {
    const line = this.#settings.identification;
    const out = this.#output.room(line.length + 2);
    line.copy(out, this.#output.offset);
    out.write('\r\n', this.#output.offset + line.length, 'latin1');
    this.#output.commit(line.length + 2);
    this.#markDirty();
    this.#link.open(this);
  }

  get remoteIdentification(): string {
    return this.#remoteIdentification;
  }

  get sessionId(): Buffer {
    return this.#settled(this.#exchange.established?.sessionId);
  }

  get negotiated(): NegotiatedAlgorithms {
    return this.#settled(this.#exchange.negotiated);
  }

  get peerSignatureAlgorithms(): readonly string[] | undefined {
    return this.#peerSignatureAlgorithms;
  }

  get bytesIn(): number {
    return this.#bytesIn;
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  get backlogBytes(): number {
    return this.#queue.bytes + this.#output.waitingBytes + this.#link.pendingBytes;
  }

  get takenBytes(): number {
    return this.#output.takenBytes;
  }

  get excused(): boolean {
    return this.#inlet.held;
  }

  get onMessage(): MessageHandler | undefined {
    return this.#inlet.handler;
  }

  set onMessage(handler: MessageHandler | undefined) {
    if (this.#phase === 'open') this.#inlet.handler = handler;
  }

  send(payload: Uint8Array): void {
    if (this.#phase !== 'open') return;
    this.#markDirty();
    if (!this.#exchange.sendsFreely) {
      this.#queue.pushPayload(payload);
      return;
    }
    this.#bytesOut += payload.length;
    try {
      this.#writer.writePayload(payload);
    } catch (error) {
      this.#fail(error);
    }
  }

  forward(plain: Buffer, payloadLength: number): void {
    if (this.#phase !== 'open') return;
    this.#markDirty();
    if (!this.#exchange.sendsFreely) {
      this.#queue.pushPlain(plain, payloadLength);
      return;
    }
    this.#bytesOut += payloadLength;
    try {
      this.#writer.writePlain(plain, payloadLength);
    } catch (error) {
      this.#fail(error);
    }
  }

  handOver(plain: Buffer, payloadLength: number): void {
    const queued = !this.#exchange.sendsFreely;
    this.forward(plain, payloadLength);
    if (!queued) giveBack(plain);
  }

  rejectCurrent(): void {
    if (this.#phase !== 'open') return;
    this.#reply(unimplementedMessage(this.#reader.lastSequence));
  }

  hold(): void {
    this.#inlet.hold();
  }

  release(): void {
    this.#inlet.release();
  }

  setReadPaused(paused: boolean): void {
    if (this.#phase === 'open') this.#gate.set('requested', paused);
  }

  rekey(): void {
    if (this.#phase === 'open' && this.#exchange.ready) this.#exchange.start();
  }

  disconnect(code: number, description: string, graceMs = 2000): void {
    if (this.#phase !== 'open') return;
    this.#close(code, description, graceMs);
    if (this.#exchange.sendsFreely || this.#queue.empty) {
      this.#sayGoodbye(graceMs);
      return;
    }
    // What is queued goes first, and it goes when the key exchange is done.
    this.#deadline = setTimeout(() => this.#sayGoodbye(graceMs), graceMs).unref();
  }

  cut(code: number, description: string, graceMs = 200): void {
    if (this.#phase === 'open') this.#close(code, description, graceMs);
    this.#sayGoodbye(graceMs);
    if (!this.#linkClosed) this.#deadline = setTimeout(() => this.#link.destroy(), graceMs).unref();
  }

  /** Writes out what the turn has gathered, and does what depends on how that went. */
  flush(): void {
    this.#dirty = false;
    try {
      if (this.#linkEndMs !== undefined) {
        const graceMs = this.#linkEndMs;
        this.#linkEndMs = undefined;
        this.#output.flushAll();
        this.#link.end(graceMs);
      }
      if (this.#phase !== 'open' && this.#phase !== 'closing') return;
      this.#output.flush();
      // Behind the flush: a rekey started between two queued messages would let data follow KEXINIT.
      if (this.#phase === 'open' && this.#exchange.isDue) this.#exchange.start();
      this.#backlog.check();
      if (this.#unread !== undefined && !this.#allowance.leavesReplies(this.#output.takenBytes))
        this.#readOn();
    } catch (error) {
      this.#fail(error);
    }
  }

  onBytes(chunk: Buffer): void {
    enterTurn();
    try {
      this.#take(chunk);
    } catch (error) {
      this.#fail(error);
    } finally {
      leaveTurn();
    }
  }

  onHandled(): void {
    if (this.#exchange.isDue) this.#markDirty();
    if (this.#peerClosed && !this.#inlet.held) this.#finish(closedEnd(undefined));
  }

  onFault(error: unknown): void {
    this.#fail(error);
  }

  onCongestion(congested: boolean): void {
    this.onBacklog?.(congested);
  }

  onExhausted(error: TransportError): void {
    this.#finish(faultEnd(error));
    this.#link.destroy();
  }

  onStarted(): void {
    this.#markDirty();
    this.#gate.set('exchanging', true);
  }

  onSendingAgain(greet: boolean): void {
    const { serverSignatureAlgorithms } = this.#settings.options;
    if (greet)
      this.#writer.writePayload(
        this.role === 'server' ? serverExtensionInfo(serverSignatureAlgorithms) : clientExtensionInfo(),
      );
    this.#bytesOut += this.#queue.bytes;
    this.#queue.writeTo(this.#writer);
    if (this.#phase === 'closing') this.#sayGoodbye(this.#goodbyeMs);
  }

  onDone(): void {
    this.#reader.maxLength = MAX_PACKET_LENGTH;
    this.#gate.set('exchanging', false);
    this.#readiness.resolve();
  }

  onTimeout(): void {
    if (this.#inlet.held) this.#exchange.watch();
    else this.#fail(new TransportError('key-exchange-timed-out', 'the key exchange took too long'));
  }

  #take(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#identification !== undefined) {
      const found = this.#identification.push(chunk);
      if (found === undefined) return;
      this.#allowance.countBeforeReady(this.#identification.totalBytes);
      this.#identification = undefined;
      this.#remoteIdentification = printableLine(found.line.toString('latin1'), 255);
      this.#exchange.begin(found.line);
      bytes = chunk.subarray(found.taken);
    }
    this.#inlet.take(bytes);
  }

  onPacket(plain: Buffer): void {
    const payloadLength = plain.length - 1 - (plain[0] ?? 0);
    const number = plain[1] ?? 0;
    if (this.#exchange.ready) this.#bytesIn += payloadLength;
    else this.#limitBeforeReady(plain.length, number);
    if (number === MessageNumber.disconnect) return this.#onDisconnect(payloadOf(plain, payloadLength));
    if (number >= 20 && number <= 49) {
      this.#markDirty();
      return this.#exchange.receive(payloadOf(plain, payloadLength));
    }
    this.#exchange.expectAllowed(number);
    switch (number) {
      case MessageNumber.ignore:
      case MessageNumber.unimplemented:
      case MessageNumber.debug:
      case MessageNumber.pong:
        return;
      case MessageNumber.extInfo: {
        const { signatureAlgorithms } = parseExtensionInfo(payloadOf(plain, payloadLength));
        this.#peerSignatureAlgorithms = signatureAlgorithms ?? this.#peerSignatureAlgorithms;
        return;
      }
      case MessageNumber.ping:
        return this.#reply(pongMessage(payloadOf(plain, payloadLength)));
      default:
        this.#inlet.deliver(plain, payloadLength);
    }
  }

  /** An answer of the transport's own. A peer that asks and does not read is not read either; what it asked before is bounded, too. */
  #reply(payload: Buffer): void {
    this.#allowance.countReply(payload.length, this.#output.takenBytes);
    this.send(payload);
    if (!this.#allowance.leavesReplies(this.#output.takenBytes)) return;
    this.#gate.set('unanswered', true);
    this.#unread ??= setTimeout(() => this.#fail(unreadReplies()), UNREAD_REPLY_MS).unref();
  }

  /** It takes answers again, or is gone. */
  #readOn(): void {
    clearTimeout(this.#unread);
    this.#unread = undefined;
    this.#gate.set('unanswered', false);
  }

  #limitBeforeReady(plainLength: number, number: number): void {
    this.#allowance.countBeforeReady(4 + plainLength);
    this.#allowance.countMessageBeforeReady(number);
    this.#reader.maxLength = this.#allowance.maxLengthBeforeReady;
  }

  #markDirty(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    flushLater(this);
  }

  #onDisconnect(payload: Buffer): void {
    const end = disconnectEnd(payload);
    this.#linkEndMs = LAST_WORDS_MS;
    this.#markDirty();
    this.#finish(end);
  }

  onDrained(): void {}

  onClosed(error?: Error): void {
    this.#linkClosed = true;
    clearTimeout(this.#deadline);
    this.#output.discard();
    if (error === undefined && this.#inlet.held && this.#inlet.hasUnhandled) this.#peerClosed = true;
    else this.#finish(this.#localEnd ?? closedEnd(error));
  }

  #close(code: number, description: string, graceMs: number): void {
    this.#phase = 'closing';
    this.#goodbyeMs = graceMs;
    this.#localEnd = localEnd(code, description);
    this.#inlet.drop();
    if (this.#linkClosed) this.#finish(this.#localEnd);
  }

  #sayGoodbye(graceMs: number): void {
    clearTimeout(this.#deadline);
    if (this.#phase !== 'closing' || this.#localEnd === undefined) return;
    this.#phase = 'leaving';
    this.#inlet.stop();
    this.#exchange.dispose();
    this.#linkEndMs = graceMs;
    this.#markDirty();
    this.#writeDisconnect(this.#localEnd.code, this.#localEnd.description);
  }

  #writeDisconnect(code: number, description: string): void {
    // Before the peer's identification a packet means nothing to it.
    if (this.#identification !== undefined) return;
    this.#writer.writePayload(disconnectMessage(code, description));
  }

  #fail(error: unknown): void {
    if (this.#phase === 'over') return;
    if (this.#localEnd !== undefined) {
      this.#link.destroy();
      this.#finish(this.#localEnd);
      return;
    }
    const end = faultEnd(error);
    this.#finish(end);
    this.#linkEndMs = LAST_WORDS_MS;
    this.#markDirty();
    try {
      this.#writeDisconnect(end.code, end.description);
    } catch {
      // The packet numbers ran out: there is no way left to say why.
      this.#link.destroy();
    }
  }

  #finish(end: TransportEnd): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#exchange.dispose();
    this.#backlog.clear();
    clearTimeout(this.#unread);
    this.#queue.clear();
    this.#inlet.stop();
    this.#readiness.reject(errorFrom(end));
    this.#ending.resolve(end);
  }

  #settled<T>(value: T | undefined): T {
    if (value === undefined)
      throw new TransportError('not-ready', 'this is known after the first key exchange; await ready');
    return value;
  }
}

function payloadOf(plain: Buffer, payloadLength: number): Buffer {
  return plain.subarray(1, 1 + payloadLength);
}
