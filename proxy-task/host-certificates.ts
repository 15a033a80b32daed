import { type HostKey, mintCertificate, type RemoteSigner } from '#ssh';

/** Host keys with certificates for the names a client knows a host by. */
export type HostCertificates = {
  /** The gateway's host keys, each certified for the names; the same ones for a while. */
  hostKeysFor(names: readonly string[]): Promise<readonly HostKey[]>;
};

export type HostCertificatesOptions = {
  /** Without an authority the keys come as they are. */
  readonly authority: RemoteSigner | undefined;
  readonly hostKeys: readonly HostKey[];
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
};

/** A client looks at a host certificate once, when it connects. */
const validSeconds = 3600;
/** For clients whose clock is behind. */
const backdateSeconds = 300;
const maxNames = 1000;

export function createHostCertificates(options: HostCertificatesOptions): HostCertificates {
  const { authority, hostKeys, now, randomBytes } = options;
  const minted = new Map<
    string,
    { readonly keys: Promise<readonly HostKey[]>; readonly renewAtMs: number }
  >();

  async function mint(signer: RemoteSigner, names: readonly string[]): Promise<readonly HostKey[]> {
    const nowSeconds = BigInt(Math.floor(now() / 1000));
    return Promise.all(
      hostKeys.map(async ({ privateKey }) => ({
        privateKey,
        certificate: await mintCertificate(
          {
            kind: 'host',
            publicKey: privateKey.publicKey,
            keyId: `sshtrail:${names[0]}`,
            serial: randomBytes(8).readBigUInt64BE(),
            principals: names,
            validAfter: nowSeconds - BigInt(backdateSeconds),
            validBefore: nowSeconds + BigInt(validSeconds),
            nonce: randomBytes(32),
          },
          signer,
        ),
      })),
    );
  }

  return {
    hostKeysFor(names) {
      if (authority === undefined) return Promise.resolve(hostKeys);
      const distinct = [...new Set(names.map((name) => name.toLowerCase()))];
      const id = distinct.join(' ');
      const known = minted.get(id);
      if (known !== undefined && now() < known.renewAtMs) return known.keys;
      minted.delete(id);
      const [oldest] = minted.keys();
      if (minted.size >= maxNames && oldest !== undefined) minted.delete(oldest);
      const keys = mint(authority, distinct);
      minted.set(id, { keys, renewAtMs: now() + (validSeconds / 2) * 1000 });
      // One that failed is made anew by whoever asks next.
      keys.catch(() => minted.delete(id));
      return keys;
    },
  };
}
