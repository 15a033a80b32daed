/** One key exchange method with messages 30 and 31 (RFC 4253 §8, RFC 5656 §4, RFC 8731). */
export type KeyExchangeMethod = {
  /** For the exchange hash and the key derivation. */
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  /** Client side. */
  initiate(): KeyExchangeInitiator;
  /** Server side. @throws AlgorithmError `bad-public-value`. */
  respond(peerValue: Buffer): { readonly publicValue: Buffer; readonly secret: Buffer };
};

/** `publicValue` is the content of the message's field; `finish` returns K as it is hashed, with its length field. */
export interface KeyExchangeInitiator {
  readonly publicValue: Buffer;
  /** @throws AlgorithmError `bad-public-value`. */
  finish(peerValue: Buffer): Buffer;
}
