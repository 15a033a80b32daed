import { MessageNumber } from '../wire/index.ts';
import type { NegotiatedAlgorithms } from './contract.ts';
import { type Established, type ExchangeSetting, KeyExchange, type NewKeys } from './key-exchange.ts';
import { takesExtensionInfo } from './negotiation.ts';
import type { PacketReader } from './packet-reader.ts';
import type { PacketWriter } from './packet-writer.ts';
import { TransportError } from './transport-error.ts';
import { MAX_PACKETS_PER_KEY } from './transport-limits.ts';
import type { TransportSettings } from './transport-settings.ts';

/** What a transport does when its key exchanges come to a point. */
export interface ExchangeEvents {
  /** Our KEXINIT was sent: ordinary messages wait from here on. */
  onStarted(): void;
  /** Our NEWKEYS was sent: what waited may go. `greet` where EXT_INFO must come before it (RFC 8308 §2.4). */
  onSendingAgain(greet: boolean): void;
  /** Both ends use the new keys. */
  onDone(): void;
  /** The exchange took too long. */
  onTimeout(): void;
}

const newKeysPayload = Buffer.from([MessageNumber.newKeys]);

/** Runs the key exchanges of a connection, one after the other, and switches its keys. */
export class ExchangeDriver {
  readonly #settings: TransportSettings;
  readonly #reader: PacketReader;
  readonly #writer: PacketWriter;
  readonly #events: ExchangeEvents;
  #setting: ExchangeSetting | undefined;
  #current: KeyExchange | undefined;
  #established: Established | undefined;
  #negotiated: NegotiatedAlgorithms | undefined;
  #acceptedHostKey: Buffer | undefined;
  #peerTakesExtensionInfo = false;
  #done = false;
  #timeout: NodeJS.Timeout | undefined;
  #interval: NodeJS.Timeout | undefined;

  constructor(
    settings: TransportSettings,
    reader: PacketReader,
    writer: PacketWriter,
    events: ExchangeEvents,
  ) {
    this.#settings = settings;
    this.#reader = reader;
    this.#writer = writer;
    this.#events = events;
    this.watch();
  }

  /** Whether the first key exchange is done. */
  get ready(): boolean {
    return this.#done;
  }

  get running(): boolean {
    return this.#current !== undefined;
  }

  /** Whether ordinary messages may be sent now. */
  get sendsFreely(): boolean {
    return this.#current === undefined ? this.#done : this.#current.sentNewKeys;
  }

  get established(): Established | undefined {
    return this.#established;
  }

  get negotiated(): NegotiatedAlgorithms | undefined {
    return this.#negotiated;
  }

  /** The peer's identification is known: the first key exchange starts. */
  begin(peerIdentification: Buffer): void {
    const { options, identification, preferences } = this.#settings;
    const client = options.role === 'client';
    this.#setting = {
      role: options.role,
      preferences,
      hostKeys: options.hostKeys ?? [],
      clientIdentification: client ? identification : peerIdentification,
      serverIdentification: client ? peerIdentification : identification,
      acceptHostKey: (blob, algorithm) => this.#acceptHostKey(blob, algorithm),
    };
    this.start();
  }

  /** Sends KEXINIT, unless an exchange runs. */
  start(): void {
    if (this.#current !== undefined || this.#setting === undefined) return;
    this.#current = new KeyExchange(this.#setting, this.#established);
    this.#writer.writePayload(this.#current.ownInit);
    clearTimeout(this.#interval);
    if (this.#done) this.watch();
    this.#events.onStarted();
  }

  /** Whether the keys in use have done their work (RFC 4253 §9). */
  get isDue(): boolean {
    const { rekeyBytes } = this.#settings.limits;
    const { bytes: bytesIn, packets: packetsIn } = this.#reader;
    const { bytes: bytesOut, packets: packetsOut } = this.#writer;
    return (
      this.#done &&
      this.#current === undefined &&
      (Math.max(bytesIn, bytesOut) >= rekeyBytes || Math.max(packetsIn, packetsOut) >= MAX_PACKETS_PER_KEY)
    );
  }

  /** Refuses messages that must not come at this point (RFC 4253 §7.1; OpenSSH PROTOCOL §1.10 for strict). */
  expectAllowed(number: number): void {
    const current = this.#current;
    if (current === undefined) return;
    const inExchange = current.first || current.peerInit !== undefined;
    if (current.strictNow || (inExchange && number > MessageNumber.debug))
      throw new TransportError(
        'protocol-violation',
        `message ${number} came in the middle of a key exchange`,
      );
  }

  /** Takes a message 20 to 49. */
  receive(payload: Buffer): void {
    const number = payload[0] ?? 0;
    if (number === MessageNumber.kexInit) this.#receiveInit(payload);
    else if (this.#current === undefined)
      throw new TransportError('protocol-violation', `message ${number} came outside a key exchange`);
    else if (number === MessageNumber.newKeys) this.#receiveNewKeys(this.#current, payload);
    else this.#receiveStep(this.#current, payload);
  }

  dispose(): void {
    clearTimeout(this.#timeout);
    clearTimeout(this.#interval);
    this.#current = undefined;
    this.#setting = undefined;
  }

  /** Starts the clock of an exchange, or starts it anew. */
  watch(): void {
    clearTimeout(this.#timeout);
    this.#timeout = setTimeout(
      () => this.#events.onTimeout(),
      this.#settings.limits.keyExchangeTimeoutMs,
    ).unref();
  }

  #receiveInit(payload: Buffer): void {
    this.start();
    const current = this.#current;
    if (current === undefined)
      throw new TransportError('protocol-violation', 'a key exchange came before the identification');
    const next = current.receiveInit(payload);
    if (current.first && current.peerInit !== undefined) {
      const peerRole = this.#settings.options.role === 'client' ? 'server' : 'client';
      this.#peerTakesExtensionInfo = takesExtensionInfo(current.peerInit, peerRole);
      if (current.strictNow && this.#reader.lastSequence !== 0)
        throw new TransportError(
          'protocol-violation',
          'KEXINIT was not the first message (strict key exchange)',
        );
    }
    if (next !== undefined) this.#writer.writePayload(next);
  }

  #receiveStep(current: KeyExchange, payload: Buffer): void {
    const outcome = current.receive(payload);
    if (outcome === undefined) return;
    const { reply, keys } = outcome;
    if (reply !== undefined) this.#writer.writePayload(reply);
    this.#writer.writePayload(newKeysPayload);
    this.#writer.switchTo(keys.sealer, keys.established.strict);
    this.#established = keys.established;
    this.#negotiated = keys.negotiated;
    current.sentNewKeys = true;
    this.#events.onSendingAgain(current.first && this.#peerTakesExtensionInfo);
  }

  #receiveNewKeys(current: KeyExchange, payload: Buffer): void {
    if (payload.length !== 1) throw new TransportError('protocol-violation', 'NEWKEYS carries something');
    const keys: NewKeys = current.receiveNewKeys();
    this.#reader.switchTo(keys.opener, keys.established.strict);
    this.#current = undefined;
    this.#done = true;
    clearTimeout(this.#timeout);
    this.#timeout = undefined;
    this.#interval = setTimeout(() => this.start(), this.#settings.limits.rekeyIntervalMs).unref();
    this.#events.onDone();
  }

  #acceptHostKey(blob: Buffer, algorithm: string): void {
    // A rekey with the same key needs no new judgement: a certificate may have expired since.
    if (this.#acceptedHostKey?.equals(blob) === true) return;
    const verdict = this.#settings.options.verifyHostKey?.(blob, algorithm);
    if (verdict?.accepted !== true)
      throw new TransportError(
        'host-key-refused',
        `the server's host key is refused: ${verdict?.reason ?? 'nothing judges it'}`,
      );
    const kept = Buffer.allocUnsafeSlow(blob.length);
    blob.copy(kept);
    this.#acceptedHostKey = kept;
  }
}
