/** A key encapsulation mechanism: the half of a hybrid exchange that withstands quantum computers. */
export type KeyEncapsulation = {
  readonly name: string;
  readonly publicKeyBytes: number;
  readonly ciphertextBytes: number;
  generate(): {
    readonly publicKey: Buffer;
    /** A wrong ciphertext of the right length gives another secret (implicit rejection). @throws AlgorithmError. */
    decapsulate(ciphertext: Buffer): Buffer;
  };
  /** @throws AlgorithmError `bad-public-value`. */
  encapsulate(publicKey: Buffer): { readonly ciphertext: Buffer; readonly secret: Buffer };
};
