import type { Duplex } from 'node:stream';
import type { ByteLink, HostKey, Role } from '../../../ssh/transport/index.ts';
import { KeyExchange } from '../../../ssh/transport/key-exchange.ts';
import { OutputQueue } from '../../../ssh/transport/output-queue.ts';
import { PacketReader } from '../../../ssh/transport/packet-reader.ts';
import { PacketWriter } from '../../../ssh/transport/packet-writer.ts';
import { hostKey, quickAlgorithms } from './linked-transports.ts';

export type ScriptedPeerOptions = {
  readonly role: Role;
  /** Whether it asks for strict key exchange. */
  readonly strict?: boolean;
  readonly algorithms?: typeof quickAlgorithms;
  readonly hostKeys?: readonly HostKey[];
};

/** A peer that does what a test says, in whatever order, under the real keys. */
export class ScriptedPeer {
  readonly exchange: KeyExchange;
  readonly #stream: Duplex;
  readonly #options: ScriptedPeerOptions;
  readonly #output: OutputQueue;
  readonly #writer: PacketWriter;
  readonly #reader = new PacketReader();
  readonly #payloads: Buffer[] = [];
  #arrived: (() => void) | undefined;
  #identified = false;
  #closed = false;

  constructor(stream: Duplex, peerVersion: string, options: ScriptedPeerOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#output = new OutputQueue(linkTo(stream), { flush: () => undefined });
    this.#writer = new PacketWriter(this.#output);
    const own = Buffer.from('SSH-2.0-scripted');
    const other = Buffer.from(`SSH-2.0-${peerVersion}`);
    this.exchange = new KeyExchange(
      {
        role: options.role,
        preferences: { ...(options.algorithms ?? quickAlgorithms), hostKey: ['ssh-ed25519'] },
        hostKeys: options.hostKeys ?? [{ privateKey: hostKey }],
        clientIdentification: options.role === 'client' ? own : other,
        serverIdentification: options.role === 'client' ? other : own,
        acceptHostKey: () => undefined,
      },
      undefined,
    );
    if (options.strict === false) this.#blotOutStrict();
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('close', () => {
      this.#closed = true;
      this.#arrived?.();
    });
    stream.write('SSH-2.0-scripted\r\n');
  }

  send(payload: Uint8Array): void {
    this.#writer.writePayload(payload);
    this.#output.flush();
  }

  sendRaw(bytes: Uint8Array): void {
    this.#stream.write(bytes);
  }

  /** The next payload from the transport under test; undefined once the stream is closed. */
  async receive(): Promise<Buffer | undefined> {
    while (this.#payloads.length === 0) {
      if (this.#closed) return undefined;
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return this.#payloads.shift();
  }

  /** Skips to the first payload with this number. */
  async receiveNumber(number: number): Promise<Buffer | undefined> {
    for (;;) {
      const payload = await this.receive();
      if (payload === undefined || payload[0] === number) return payload;
    }
  }

  /** A correct first key exchange; `between` is called at each step with the name of what comes next. */
  async shakeHands(
    between: (next: 'kexinit' | 'method' | 'newkeys' | 'done') => void = () => undefined,
  ): Promise<void> {
    between('kexinit');
    this.send(this.exchange.ownInit);
    const init = await this.receiveNumber(20);
    if (init === undefined) throw new Error('the transport ended before its KEXINIT');
    const question = this.exchange.receiveInit(init);
    between('method');
    if (question !== undefined) this.send(question);
    const step = await this.receiveNumber(this.#options.role === 'client' ? 31 : 30);
    if (step === undefined) throw new Error('the transport ended within the key exchange');
    const outcome = this.exchange.receive(step);
    if (outcome === undefined) throw new Error('the scripted peer skipped a message');
    if (outcome.reply !== undefined) this.send(outcome.reply);
    between('newkeys');
    this.send(Buffer.from([21]));
    this.#writer.switchTo(outcome.keys.sealer, outcome.keys.established.strict);
    this.exchange.sentNewKeys = true;
    const last = await this.receiveNumber(21);
    if (last === undefined) throw new Error('the transport ended before its NEWKEYS');
    between('done');
  }

  /** Only what was asked for in KEXINIT counts, so it can be made of another name of the same length. */
  #blotOutStrict(): void {
    const init = this.exchange.ownInit;
    const at = init.indexOf('kex-strict-');
    init.write('kex-lenient', at, 'latin1');
  }

  #receive(chunk: Buffer): void {
    let bytes = chunk;
    if (!this.#identified) {
      const end = chunk.indexOf('\n');
      if (end < 0) return;
      this.#identified = true;
      bytes = chunk.subarray(end + 1);
    }
    this.#reader.feed(bytes);
    this.#drain();
  }

  #drain(): void {
    for (let plain = this.#reader.next(); plain !== undefined; plain = this.#reader.next()) {
      const payload = plain.subarray(1, plain.length - (plain[0] ?? 0));
      this.#payloads.push(payload);
      this.#arrived?.();
      if (payload[0] === 21) {
        // What follows is under keys that are made a moment later.
        this.#reader.keep();
        queueMicrotask(() => setImmediate(() => this.#switchReader()));
        return;
      }
    }
    this.#reader.keep();
  }

  #switchReader(): void {
    if (!this.exchange.sentNewKeys) {
      setImmediate(() => this.#switchReader());
      return;
    }
    const keys = this.exchange.receiveNewKeys();
    this.#reader.switchTo(keys.opener, keys.established.strict);
    this.#drain();
  }
}

function linkTo(stream: Duplex): ByteLink {
  return {
    pendingBytes: 0,
    open: () => undefined,
    write(bytes, onTaken) {
      stream.write(Buffer.from(bytes));
      onTaken();
    },
    pause: () => undefined,
    resume: () => undefined,
    end: () => undefined,
    destroy: () => undefined,
  };
}
