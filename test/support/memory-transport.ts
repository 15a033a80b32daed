import type { NegotiatedAlgorithms, Role, Transport, TransportEnd } from '../../ssh/transport/contract.ts';

/** Two transports whose messages reach each other in order without cryptography; for tests of the layers above. */
export type MemoryTransports = { readonly client: MemoryTransport; readonly server: MemoryTransport };

export type MemoryTransportOptions = {
  readonly sessionId?: Buffer;
  readonly signatureAlgorithms?: readonly string[];
  /** Undelivered bytes over which `onBacklog` says pause; half of it is the low mark. */
  readonly backlogHighBytes?: number;
};

export function memoryTransports(options: MemoryTransportOptions = {}): MemoryTransports {
  const client = new MemoryTransport('client', options);
  const server = new MemoryTransport('server', options);
  client.connect(server);
  server.connect(client);
  return { client, server };
}

export class MemoryTransport implements Transport {
  readonly role: Role;
  readonly ready = Promise.resolve();
  readonly ended: Promise<TransportEnd>;
  readonly remoteIdentification = 'SSH-2.0-memory';
  readonly sessionId: Buffer;
  readonly negotiated: NegotiatedAlgorithms = {
    keyExchange: 'none',
    hostKey: 'none',
    cipherIn: 'none',
    cipherOut: 'none',
    macIn: 'none',
    macOut: 'none',
    strict: false,
  };
  readonly peerSignatureAlgorithms: readonly string[] | undefined;
  bytesIn = 0;
  bytesOut = 0;
  backlogBytes = 0;
  onBacklog: ((congested: boolean) => void) | undefined;
  /** Numbers of the messages this end answered with UNIMPLEMENTED. */
  readonly rejected: number[] = [];
  /** Numbers of the messages this end sent, in order. */
  readonly sent: number[] = [];

  readonly #settle: (end: TransportEnd) => void;
  readonly #highBytes: number;
  #inbox: Buffer[] = [];
  /** Messages of the inbox that were delivered already: a shift of a long array is slow. */
  #delivered = 0;
  #peer: MemoryTransport | undefined;
  #onMessage: ((plain: Buffer, payloadLength: number) => void) | undefined;
  #holds = 0;
  #readPaused = false;
  #scheduled = false;
  #current = 0;
  #congested = false;
  #closing: TransportEnd | undefined;
  #over = false;

  constructor(role: Role, options: MemoryTransportOptions) {
    this.role = role;
    this.sessionId = options.sessionId ?? Buffer.alloc(32, 7);
    this.peerSignatureAlgorithms = options.signatureAlgorithms;
    this.#highBytes = options.backlogHighBytes ?? 1024 * 1024;
    const { promise, resolve } = Promise.withResolvers<TransportEnd>();
    this.ended = promise;
    this.#settle = resolve;
  }

  get onMessage(): ((plain: Buffer, payloadLength: number) => void) | undefined {
    return this.#onMessage;
  }

  set onMessage(handler: ((plain: Buffer, payloadLength: number) => void) | undefined) {
    this.#onMessage = handler;
    this.#schedule();
  }

  /** Nothing waits to be delivered or decided. */
  get idle(): boolean {
    return this.#over || (this.#waiting === 0 && this.#holds === 0);
  }

  connect(peer: MemoryTransport): void {
    this.#peer = peer;
  }

  send(payload: Uint8Array): void {
    if (this.#over) return;
    this.sent.push(payload[0] ?? -1);
    this.bytesOut += payload.length;
    this.backlogBytes += payload.length;
    this.#peer?.take(Buffer.concat([Buffer.of(4), payload, Buffer.alloc(4)]));
    this.#watchBacklog();
  }

  forward(plain: Buffer, payloadLength: number): void {
    this.send(plain.subarray(1, 1 + payloadLength));
  }

  handOver(plain: Buffer, payloadLength: number): void {
    this.forward(plain, payloadLength);
  }

  rejectCurrent(): void {
    this.rejected.push(this.#current);
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    if (this.#holds === 0) throw new Error('released more often than held');
    this.#holds -= 1;
    this.#schedule();
  }

  setReadPaused(paused: boolean): void {
    this.#readPaused = paused;
    this.#schedule();
  }

  rekey(): void {
    // There are no keys.
  }

  disconnect(code: number, description: string): void {
    if (this.#over) return;
    this.#finish({ kind: 'local', code, description });
    this.#peer?.closeAfterInbox({ kind: 'disconnect', code, description });
  }

  cut(code: number, description: string): void {
    this.disconnect(code, description);
  }

  /** The stream beneath is gone, without DISCONNECT. */
  drop(): void {
    this.#finish({ kind: 'closed', code: 10, description: 'the stream ended' });
    this.#peer?.closeAfterInbox({ kind: 'closed', code: 10, description: 'the stream ended' });
  }

  take(plain: Buffer): void {
    if (this.#over) return;
    this.#inbox.push(plain);
    this.#schedule();
  }

  closeAfterInbox(end: TransportEnd): void {
    this.#closing = end;
    this.#schedule();
  }

  delivered(bytes: number): void {
    this.backlogBytes -= bytes;
    this.#watchBacklog();
  }

  get #waiting(): number {
    return this.#inbox.length - this.#delivered;
  }

  #watchBacklog(): void {
    const congested = this.backlogBytes > (this.#congested ? this.#highBytes / 2 : this.#highBytes);
    if (congested === this.#congested) return;
    this.#congested = congested;
    this.onBacklog?.(congested);
  }

  #schedule(): void {
    if (this.#scheduled || this.#over) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    while (this.#holds === 0 && !this.#readPaused && this.#onMessage !== undefined && !this.#over) {
      const plain = this.#inbox[this.#delivered];
      if (plain === undefined) break;
      this.#delivered += 1;
      const length = plain.length - 5;
      this.bytesIn += length;
      this.#current = plain[1] ?? -1;
      this.#peer?.delivered(length);
      this.#onMessage(plain, length);
    }
    if (this.#waiting === 0) {
      this.#inbox = [];
      this.#delivered = 0;
    }
    // An end is noticed although messages are held, if nothing came before it.
    if (this.#closing !== undefined && this.#waiting === 0) this.#finish(this.#closing);
  }

  #finish(end: TransportEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#inbox = [];
    this.#delivered = 0;
    this.#settle(end);
  }
}
