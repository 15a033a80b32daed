import type { ByteLink } from '#ssh';
import { type ProxyHeader, ProxyHeaderReader, type ProxyHeaderStep } from './proxy-protocol.ts';

type ByteLinkEvents = Parameters<ByteLink['open']>[0];

export type ProxiedLink =
  /** The link that goes on behind the header. */
  | { readonly kind: 'header'; readonly header: ProxyHeader; readonly link: ByteLink }
  | {
      readonly kind: 'refused';
      readonly reason: 'proxy-header-missing' | 'proxy-header-malformed' | 'proxy-header-timeout';
    }
  /** It closed before it had said anything wrong. */
  | { readonly kind: 'closed' };

/** A balancer sends its header with the first byte; what takes longer is none. */
const headerDeadlineMs = 5000;

/** Reads the PROXY header that a load balancer sends first. A link that is refused has been destroyed. */
export function readProxyHeader(link: ByteLink, deadlineMs: number = headerDeadlineMs): Promise<ProxiedLink> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      link.destroy();
      resolve({ kind: 'refused', reason: 'proxy-header-timeout' });
    }, deadlineMs);
    new LinkBehindHeader(link, (outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    }).begin();
  });
}

/** Reads the header itself, and then passes everything on. Until it is opened it keeps what came behind the header: the rest of one read. */
class LinkBehindHeader implements ByteLink {
  readonly #link: ByteLink;
  readonly #settle: (outcome: ProxiedLink) => void;
  #reader: ProxyHeaderReader | undefined = new ProxyHeaderReader();
  #events: ByteLinkEvents | undefined;
  #early: Buffer[] = [];
  #closed: { readonly error: Error | undefined } | undefined;
  #paused = false;

  constructor(link: ByteLink, settle: (outcome: ProxiedLink) => void) {
    this.#link = link;
    this.#settle = settle;
  }

  begin(): void {
    this.#link.open({
      onBytes: (chunk) => this.#receive(chunk),
      onDrained: () => this.#events?.onDrained(),
      onClosed: (error) => this.#close(error),
    });
  }

  get pendingBytes(): number {
    return this.#link.pendingBytes;
  }

  open(events: ByteLinkEvents): void {
    this.#events = events;
    for (const chunk of this.#early.splice(0)) events.onBytes(chunk);
    const closed = this.#closed;
    if (closed !== undefined) process.nextTick(() => events.onClosed(closed.error));
    else if (!this.#paused) this.#link.resume();
  }

  write(bytes: Buffer, onTaken: () => void): void {
    this.#link.write(bytes, onTaken);
  }

  pause(): void {
    this.#paused = true;
    this.#link.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#link.resume();
  }

  end(graceMs: number): void {
    this.#link.end(graceMs);
  }

  destroy(): void {
    this.#link.destroy();
  }

  #receive(chunk: Buffer): void {
    if (this.#reader !== undefined) this.#readHeader(this.#reader, chunk);
    else if (this.#events !== undefined) this.#events.onBytes(chunk);
    // The chunk is the link's own memory.
    else this.#early.push(Buffer.from(chunk));
  }

  #readHeader(reader: ProxyHeaderReader, chunk: Buffer): void {
    const step: ProxyHeaderStep = reader.push(chunk);
    if (step.kind === 'more') return;
    this.#reader = undefined;
    if (step.kind === 'refused') {
      this.#link.destroy();
      this.#settle(step);
      return;
    }
    // Nothing more is read before somebody wants it.
    this.#link.pause();
    if (step.taken < chunk.length) this.#early.push(Buffer.from(chunk.subarray(step.taken)));
    this.#settle({ kind: 'header', header: step.header, link: this });
  }

  #close(error: Error | undefined): void {
    this.#closed = { error };
    if (this.#events !== undefined) this.#events.onClosed(error);
    else if (this.#reader !== undefined) this.#settle({ kind: 'closed' });
    this.#reader = undefined;
  }
}
