import {
  AlgorithmError,
  deriveSecrets,
  exchangeHash,
  type KeyExchangeInitiator,
  keyExchangeNamed,
  openerNamed,
  type PacketOpener,
  type PacketSealer,
  type SecretLengths,
  sealerNamed,
} from '../algorithms/index.ts';
import { MessageNumber, WireReader, WireWriter } from '../wire/index.ts';
import type { AlgorithmPreferences, HostKey, NegotiatedAlgorithms, Role } from './contract.ts';
import { hostKeyFor, verifyHostKeyProof } from './host-key-proof.ts';
import {
  asksForStrict,
  guessedWrong,
  type KexInit,
  kexInitPayload,
  negotiate,
  parseKexInit,
} from './negotiation.ts';
import { TransportError } from './transport-error.ts';

/** What stays the same from one key exchange of a connection to the next. */
export type ExchangeSetting = {
  readonly role: Role;
  readonly preferences: AlgorithmPreferences;
  readonly hostKeys: readonly HostKey[];
  readonly clientIdentification: Buffer;
  readonly serverIdentification: Buffer;
  /** Client role: throws where the key is not the expected one. */
  readonly acceptHostKey: (blob: Buffer, algorithm: string) => void;
};

/** What the first key exchange settled for good. */
export type Established = { readonly sessionId: Buffer; readonly strict: boolean };

export type NewKeys = {
  readonly sealer: PacketSealer;
  readonly opener: PacketOpener;
  readonly negotiated: NegotiatedAlgorithms;
  readonly established: Established;
};

/** One key exchange (RFC 4253 §7, §8) from our KEXINIT to both NEWKEYS: what to answer, and the keys it ends in. */
export class KeyExchange {
  readonly ownInit: Buffer;
  /** Ours was sent: what follows goes out under the new keys. */
  sentNewKeys = false;
  readonly #setting: ExchangeSetting;
  readonly #established: Established | undefined;
  #peerInit: KexInit | undefined;
  #negotiated: NegotiatedAlgorithms | undefined;
  #initiator: KeyExchangeInitiator | undefined;
  #skipsGuess = false;
  #keys: NewKeys | undefined;

  constructor(setting: ExchangeSetting, established: Established | undefined) {
    this.#setting = setting;
    this.#established = established;
    this.ownInit = kexInitPayload(setting.role, setting.preferences, established === undefined);
  }

  get first(): boolean {
    return this.#established === undefined;
  }

  /** The peer's KEXINIT, once it came. */
  get peerInit(): KexInit | undefined {
    return this.#peerInit;
  }

  /** Whether nothing but key exchange messages may come from the peer now (strict key exchange, first exchange). */
  get strictNow(): boolean {
    return this.first && this.#negotiated?.strict === true;
  }

  /** Takes the peer's KEXINIT; as a client, returns the message that goes on. */
  receiveInit(payload: Buffer): Buffer | undefined {
    if (this.#peerInit !== undefined)
      throw new TransportError('protocol-violation', 'the peer sent KEXINIT twice in one key exchange');
    const { role, preferences } = this.#setting;
    const peer = parseKexInit(payload);
    this.#peerInit = peer;
    const strict = this.#established?.strict ?? asksForStrict(peer, role === 'client' ? 'server' : 'client');
    this.#negotiated = negotiate(role, preferences, peer, strict);
    this.#skipsGuess = peer.firstPacketFollows && guessedWrong(peer, preferences);
    if (role === 'server') return undefined;
    this.#initiator = keyExchangeNamed(this.#negotiated.keyExchange).initiate();
    return new WireWriter(this.#initiator.publicValue.length + 8)
      .byte(MessageNumber.kexEcdhInit)
      .string(this.#initiator.publicValue)
      .finish();
  }

  /** Takes a message 30 to 49. Once it returns something, that is sent first, where there is a reply, and then NEWKEYS. */
  receive(payload: Buffer): { readonly reply: Buffer | undefined; readonly keys: NewKeys } | undefined {
    const negotiated = this.#negotiated;
    if (negotiated === undefined || this.#keys !== undefined)
      throw new TransportError('protocol-violation', 'a key exchange message came at the wrong time');
    if (this.#skipsGuess) {
      this.#skipsGuess = false;
      return undefined;
    }
    const expected = this.#setting.role === 'server' ? MessageNumber.kexEcdhInit : MessageNumber.kexEcdhReply;
    if (payload[0] !== expected)
      throw new TransportError('protocol-violation', `message ${payload[0]} is not of this key exchange`);
    try {
      return this.#setting.role === 'server'
        ? this.#respond(payload, negotiated)
        : this.#conclude(payload, negotiated);
    } catch (error) {
      if (!(error instanceof AlgorithmError)) throw error;
      throw new TransportError('key-exchange-failed', error.message, { cause: error });
    }
  }

  /** Takes the peer's NEWKEYS. */
  receiveNewKeys(): NewKeys {
    if (this.#keys === undefined || !this.sentNewKeys)
      throw new TransportError('protocol-violation', 'NEWKEYS came before the key exchange was done');
    return this.#keys;
  }

  #respond(payload: Buffer, negotiated: NegotiatedAlgorithms) {
    const reader = new WireReader(payload, 1);
    const clientValue = reader.string();
    reader.end();
    const presented = hostKeyFor(negotiated.hostKey, this.#setting.hostKeys);
    if (presented === undefined)
      throw new TransportError('key-exchange-failed', `there is no host key for ${negotiated.hostKey}`);
    const { publicValue, secret } = keyExchangeNamed(negotiated.keyExchange).respond(clientValue);
    const hash = this.#hash(negotiated, presented.blob, clientValue, publicValue, secret);
    const signature = presented.hostKey.privateKey.sign(hash, presented.algorithm.signature);
    const reply = new WireWriter(presented.blob.length + publicValue.length + signature.length + 16)
      .byte(MessageNumber.kexEcdhReply)
      .string(presented.blob)
      .string(publicValue)
      .string(signature)
      .finish();
    return { reply, keys: this.#derive(negotiated, hash, secret) };
  }

  #conclude(payload: Buffer, negotiated: NegotiatedAlgorithms) {
    const initiator = this.#initiator;
    if (initiator === undefined)
      throw new TransportError('protocol-violation', 'a key exchange reply came before its question');
    const reader = new WireReader(payload, 1);
    const blob = reader.string();
    const serverValue = reader.string();
    const signature = reader.string();
    reader.end();
    const secret = initiator.finish(serverValue);
    const hash = this.#hash(negotiated, blob, initiator.publicValue, serverValue, secret);
    verifyHostKeyProof(negotiated.hostKey, blob, hash, signature);
    this.#setting.acceptHostKey(blob, negotiated.hostKey);
    return { reply: undefined, keys: this.#derive(negotiated, hash, secret) };
  }

  #hash(
    negotiated: NegotiatedAlgorithms,
    hostKey: Buffer,
    clientValue: Buffer,
    serverValue: Buffer,
    secret: Buffer,
  ): Buffer {
    const { role, clientIdentification, serverIdentification } = this.#setting;
    const peerInit = this.#peerInit?.payload ?? Buffer.alloc(0);
    return exchangeHash(keyExchangeNamed(negotiated.keyExchange).hash, {
      clientIdentification,
      serverIdentification,
      clientInit: role === 'client' ? this.ownInit : peerInit,
      serverInit: role === 'client' ? peerInit : this.ownInit,
      hostKey,
      clientValue,
      serverValue,
      secret,
    });
  }

  #derive(negotiated: NegotiatedAlgorithms, hash: Buffer, secret: Buffer): NewKeys {
    const towardsPeer = this.#setting.role === 'client' ? 'server' : 'client';
    const towardsUs = this.#setting.role;
    const established = this.#established ?? { sessionId: hash, strict: negotiated.strict };
    const hashName = keyExchangeNamed(negotiated.keyExchange).hash;
    const derive = (towards: Role) => (lengths: SecretLengths) =>
      deriveSecrets(hashName, secret, hash, established.sessionId, towards, lengths);
    const keys = {
      sealer: sealerNamed(negotiated.cipherOut, negotiated.macOut, derive(towardsPeer)),
      opener: openerNamed(negotiated.cipherIn, negotiated.macIn, derive(towardsUs)),
      negotiated,
      established,
    };
    secret.fill(0);
    this.#keys = keys;
    return keys;
  }
}
