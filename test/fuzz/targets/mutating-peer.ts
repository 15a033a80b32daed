import type { AlgorithmPreferences, ByteLink, Role } from '../../../ssh/transport/index.ts';
import { type Established, KeyExchange } from '../../../ssh/transport/key-exchange.ts';
import { OutputQueue } from '../../../ssh/transport/output-queue.ts';
import { PacketReader } from '../../../ssh/transport/packet-reader.ts';
import { PacketWriter } from '../../../ssh/transport/packet-writer.ts';
import { MessageNumber } from '../../../ssh/wire/index.ts';
import { hostKey } from './fixed-keys.ts';

export type PeerSetting = {
  readonly role: Role;
  readonly algorithms: AlgorithmPreferences;
  /** Whether it asks for strict key exchange. */
  readonly strict: boolean;
  /** The identification of the transport it talks to. */
  readonly otherIdentification: string;
};

export const peerIdentification = 'SSH-2.0-mutating';

type Exchange = NonNullable<ReturnType<KeyExchange['receive']>>;

/**
 * The other end of a transport under test: it takes part in key exchanges with the real keys, and says when which message
 * is due; whether it is sent so, changed, twice or not at all is for the input to say.
 */
export class MutatingPeer {
  /** Payloads that came from the transport, since they were last taken. */
  readonly received: Buffer[] = [];
  /** The first exchange hash, as this end knows it. */
  sessionId: Buffer | undefined;
  /** What came made no sense any more, since what was sent did not. */
  deaf = false;
  readonly #setting: PeerSetting;
  readonly #packed: Buffer[] = [];
  readonly #output = new OutputQueue(collectingLink(this.#packed), { flush: () => undefined });
  readonly #writer = new PacketWriter(this.#output);
  readonly #reader = new PacketReader();
  #identified = false;
  #exchange: KeyExchange;
  #question: Buffer | undefined;
  #outcome: Exchange | undefined;
  #established: Established | undefined;
  #sent: 'nothing' | 'init' | 'method' | 'newkeys' = 'nothing';
  #gotNewKeys = false;

  constructor(setting: PeerSetting) {
    this.#setting = setting;
    this.#exchange = this.#newExchange();
  }

  /** Whether the first key exchange is done as far as this end is concerned. */
  get ready(): boolean {
    return this.#sent === 'newkeys' && this.#gotNewKeys;
  }

  /** The message of the key exchange that is due now, and what is done once it was sent. */
  due(): { readonly payload: Buffer; sent(): void } | undefined {
    switch (this.#sent) {
      case 'nothing':
        return this.#step(this.#exchange.ownInit, 'init');
      case 'init':
        return this.#step(this.#setting.role === 'client' ? this.#question : this.#outcome?.reply, 'method');
      case 'method':
        return this.#step(
          this.#outcome === undefined ? undefined : Buffer.of(MessageNumber.newKeys),
          'newkeys',
        );
      case 'newkeys':
        return undefined;
    }
  }

  /** Begins another key exchange. */
  rekey(): void {
    if (!this.ready) return;
    this.#exchange = this.#newExchange();
    this.#question = undefined;
    this.#outcome = undefined;
    this.#sent = 'nothing';
    this.#gotNewKeys = false;
  }

  /** The bytes of a packet under the keys of this moment. */
  pack(payload: Uint8Array): Buffer {
    this.#writer.writePayload(payload);
    this.#output.flush();
    const bytes = Buffer.concat(this.#packed);
    this.#packed.length = 0;
    return bytes;
  }

  /** Bytes from the transport. */
  take(bytes: Buffer): void {
    if (this.deaf) return;
    try {
      this.#take(bytes);
    } catch {
      // After a message that was changed the two ends have other keys: this is how that shows.
      this.deaf = true;
    }
  }

  #take(bytes: Buffer): void {
    let rest = bytes;
    if (!this.#identified) {
      const end = bytes.indexOf('\n');
      this.#identified = true;
      rest = bytes.subarray(end + 1);
    }
    this.#reader.feed(rest);
    for (let plain = this.#reader.next(); plain !== undefined; plain = this.#reader.next())
      this.#receive(plain.subarray(1, plain.length - (plain[0] ?? 0)));
    this.#reader.keep();
  }

  #receive(payload: Buffer): void {
    const number = payload[0] ?? 0;
    if (number === MessageNumber.kexInit) {
      this.rekey();
      this.#question = this.#exchange.receiveInit(payload);
    } else if (number === MessageNumber.newKeys) this.#switchReader();
    else if (number >= 30 && number < 50) {
      this.#outcome = this.#exchange.receive(payload);
      this.sessionId ??= this.#outcome?.keys.established.sessionId;
    } else this.received.push(payload);
  }

  #step(payload: Buffer | undefined, sent: 'init' | 'method' | 'newkeys') {
    if (payload === undefined) return undefined;
    return {
      payload,
      sent: () => {
        this.#sent = sent;
        if (sent === 'newkeys') this.#switchWriter();
      },
    };
  }

  #switchWriter(): void {
    if (this.#outcome === undefined) return;
    const { keys } = this.#outcome;
    this.#writer.switchTo(keys.sealer, this.#isStrict(keys.established));
    this.#exchange.sentNewKeys = true;
  }

  #switchReader(): void {
    if (this.#outcome === undefined) throw new Error('NEWKEYS came too early');
    const { keys } = this.#outcome;
    this.#reader.switchTo(keys.opener, this.#isStrict(keys.established));
    this.#established = keys.established;
    this.#gotNewKeys = true;
  }

  /** The exchange looks at the other's proposal only, since its own always asks for it. */
  #isStrict(established: Established): boolean {
    return established.strict && this.#setting.strict;
  }

  #newExchange(): KeyExchange {
    const { role, algorithms, strict, otherIdentification } = this.#setting;
    const [own, other] = [Buffer.from(peerIdentification), Buffer.from(otherIdentification)];
    const exchange = new KeyExchange(
      {
        role,
        preferences: algorithms,
        hostKeys: [{ privateKey: hostKey }],
        clientIdentification: role === 'client' ? own : other,
        serverIdentification: role === 'client' ? other : own,
        acceptHostKey: () => undefined,
      },
      this.#established,
    );
    if (!strict) blotOutStrict(exchange.ownInit);
    return exchange;
  }
}

/** Only what KEXINIT says counts, so it can be made of another name of the same length. */
function blotOutStrict(init: Buffer): void {
  const at = init.indexOf('kex-strict-');
  if (at >= 0) init.write('kex-lenient', at, 'latin1');
}

function collectingLink(into: Buffer[]): ByteLink {
  return {
    pendingBytes: 0,
    open: () => undefined,
    write(bytes, onTaken) {
      into.push(Buffer.from(bytes));
      onTaken();
    },
    pause: () => undefined,
    resume: () => undefined,
    end: () => undefined,
    destroy: () => undefined,
  };
}
