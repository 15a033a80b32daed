import type { TransportEnd } from '../../../ssh/transport/contract.ts';
import { createTransport, type Transport, type TransportOptions } from '../../../ssh/transport/index.ts';
import { MessageNumber } from '../../../ssh/wire/index.ts';
import { Breach, expectThat } from '../fuzz-target.ts';
import { MemoryLink } from './memory-link.ts';
import { MutatingPeer, type PeerSetting, peerIdentification } from './mutating-peer.ts';
import { type Deed, deeds, type Script } from './script.ts';

/** The messages behind the key exchange that a well-behaved peer of this role would send, one after the other. */
export type Talk = {
  /** The next one; undefined while it waits for something. */
  next(peer: MutatingPeer): Buffer | undefined;
  /** Told what was sent, unless it was changed on its way. */
  sent(payload: Buffer): void;
};

export type SessionRun = {
  readonly transport: Transport;
  readonly peer: MutatingPeer;
  /** Whether every byte so far was what a well-behaved peer sends. */
  readonly honest: boolean;
  /** What was sent under the keys, as it was packed. */
  readonly payloads: readonly Buffer[];
};

export type SessionSpec = {
  readonly options: TransportOptions;
  readonly setting: PeerSetting;
  readonly talk: Talk;
  readonly samples: readonly Buffer[];
};

/** A peer cannot make us write more than this, whatever it sends; key exchanges are dearest. */
const answerBytes = 65_536;
const answerBytesPerByte = 24;
const maxDeeds = 200;

/** Plays a script against a transport, and sees to what must hold of every one. */
export class Session implements SessionRun {
  readonly transport: Transport;
  readonly peer: MutatingPeer;
  readonly payloads: Buffer[] = [];
  readonly #link: MemoryLink;
  readonly #spec: SessionSpec;
  #honest = true;
  #identified = false;
  #givenBytes = 0;
  #last: Buffer = Buffer.alloc(0);
  #flip = -1;
  #split = 0;
  #withheld = false;
  #end: TransportEnd | undefined;

  constructor(spec: SessionSpec) {
    this.#spec = spec;
    this.peer = new MutatingPeer(spec.setting);
    this.#link = new MemoryLink((bytes) => this.peer.take(bytes));
    this.transport = createTransport(this.#link, spec.options);
    void this.transport.ended.then((end) => {
      this.#end = end;
    });
  }

  get honest(): boolean {
    return this.#honest;
  }

  get end(): TransportEnd | undefined {
    return this.#end;
  }

  async play(script: Script): Promise<void> {
    for (let count = 0; count < maxDeeds && !script.over && this.#end === undefined; count += 1) {
      const byte = script.byte();
      this.#do(deeds[byte % deeds.length] ?? 'due', script);
      // The upper half comes at once behind what was before it.
      if (byte < 0x80) await turns(2);
      this.#expectBounds();
    }
    await turns(2);
  }

  /** Ends it, and expects that nothing lives on. */
  async over(): Promise<void> {
    this.transport.cut(11, 'the run is over', 1);
    this.#link.withhold(false);
    this.#link.close();
    await turns(3);
    const end = this.#end;
    if (end === undefined) throw new Breach('a transport does not end with its stream');
    expectKnownEnd(end);
    const { bytesIn, bytesOut } = this.transport;
    const { writtenBytes } = this.#link;
    this.#link.give(Buffer.alloc(64, 1));
    this.transport.send(Buffer.of(MessageNumber.ignore));
    await turns(2);
    expectThat(this.#link.lateWrites === 0, 'something was written behind the end');
    expectThat(this.#link.writtenBytes === writtenBytes, 'something was written after the end');
    expectThat(
      this.transport.bytesIn === bytesIn && this.transport.bytesOut === bytesOut,
      'something was read or sent after the end',
    );
  }

  #do(deed: Deed, script: Script): void {
    switch (deed) {
      case 'due':
        return this.#sendDue((payload) => payload);
      case 'due-changed': {
        const [at, mask] = [script.word(), script.byte() || 1];
        return this.#sendDue((payload) => changed(payload, at, mask));
      }
      case 'due-cut': {
        const at = script.word();
        return this.#sendDue((payload) => payload.subarray(0, 1 + (at % Math.max(payload.length - 1, 1))));
      }
      case 'skip':
        return this.#skip();
      case 'again':
        return this.#sendPayload(this.#last, false);
      case 'sample':
        return this.#sendPayload(script.pick(this.#spec.samples) ?? Buffer.of(2), false);
      case 'sample-changed': {
        const sample = script.pick(this.#spec.samples) ?? Buffer.of(2);
        return this.#sendPayload(changed(sample, script.word(), script.byte() || 1), false);
      }
      case 'payload': {
        const piece = script.piece();
        return this.#sendPayload(piece.length === 0 ? Buffer.of(2) : piece, false);
      }
      case 'raw':
        this.#honest = false;
        return this.#give(script.piece());
      case 'flip-next':
        this.#flip = script.word();
        return;
      case 'split-next':
        this.#split = 1 + (script.byte() % 64);
        return;
      case 'withhold':
        this.#withheld = !this.#withheld;
        return this.#link.withhold(this.#withheld);
      case 'turn':
        return;
      case 'rekey':
        if (script.byte() % 2 === 0) this.transport.rekey();
        else this.peer.rekey();
        return;
      case 'close':
        return this.#link.close(script.byte() % 2 === 0 ? undefined : new Error('connection reset'));
    }
  }

  #sendDue(change: (payload: Buffer) => Buffer): void {
    if (!this.#identified) {
      this.#identified = true;
      const line = Buffer.from(`${peerIdentification}\r\n`);
      const said = change(line);
      if (!said.equals(line)) this.#honest = false;
      return this.#give(said);
    }
    const due = this.peer.due();
    const payload = due?.payload ?? (this.peer.ready ? this.#spec.talk.next(this.peer) : undefined);
    if (payload === undefined) return;
    const said = change(Buffer.from(payload));
    this.#sendPayload(said, said.equals(payload));
    due?.sent();
  }

  /** As if it had been sent. */
  #skip(): void {
    this.#honest = false;
    if (!this.#identified) {
      this.#identified = true;
      return;
    }
    const due = this.peer.due();
    if (due === undefined) this.#spec.talk.next(this.peer);
    else due.sent();
  }

  #sendPayload(payload: Buffer, asDue: boolean): void {
    if (!asDue) this.#honest = false;
    this.#last = payload;
    this.payloads.push(payload);
    if (this.#flip < 0) this.#spec.talk.sent(payload);
    this.#give(this.peer.pack(payload));
  }

  #give(bytes: Buffer): void {
    let given = bytes;
    if (this.#flip >= 0 && bytes.length > 0) {
      given = changed(bytes, this.#flip, 0x20);
      this.#honest = false;
      this.#flip = -1;
    }
    const size = this.#split === 0 ? Math.max(given.length, 1) : this.#split;
    this.#split = 0;
    this.#givenBytes += given.length;
    for (let at = 0; at < given.length; at += size) this.#link.give(given.subarray(at, at + size));
  }

  #expectBounds(): void {
    const limit = answerBytes + answerBytesPerByte * this.#givenBytes;
    expectThat(
      this.#link.writtenBytes + this.transport.backlogBytes <= limit,
      `${this.#givenBytes} bytes were answered with ${this.#link.writtenBytes}`,
    );
  }
}

/** Turns of the event loop: what a message leads to has been done by then. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A fault that hostile bytes lead to is a sentence of ours. `handler-failed` would be an error nobody expected. */
function expectKnownEnd(end: TransportEnd): void {
  if (end.kind !== 'fault') return;
  const { error } = end;
  const code = error !== undefined && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string' || code === 'handler-failed')
    throw new Breach(`ended by an error of another family: ${error?.message}`, {
      cause: error?.cause ?? error,
    });
}

function changed(bytes: Buffer, at: number, mask: number): Buffer {
  if (bytes.length === 0) return bytes;
  const copy = Buffer.from(bytes);
  const index = at % bytes.length;
  copy[index] = (copy[index] ?? 0) ^ mask;
  return copy;
}
