import { type CtrName, ctrOpener, ctrSealer, type MacAlgorithm } from './aes-ctr.ts';
import { type GcmName, gcmOpener, gcmSealer } from './aes-gcm.ts';
import { AlgorithmError } from './algorithm-error.ts';
import { chachaOpener, chachaSealer } from './chacha20-poly1305.ts';
import type { SecretLengths } from './key-derivation.ts';
import type { DirectionSecrets, PacketOpener, PacketSealer } from './packet-cipher.ts';

/** How a cipher's two directions are made. Ciphers that authenticate by themselves take no MAC. */
type CipherAlgorithm = { readonly keyBytes: number; readonly ivBytes: number } & (
  | {
      readonly authenticated: true;
      sealer(secrets: DirectionSecrets): PacketSealer;
      opener(secrets: DirectionSecrets): PacketOpener;
    }
  | {
      readonly authenticated: false;
      sealer(secrets: DirectionSecrets, mac: MacAlgorithm): PacketSealer;
      opener(secrets: DirectionSecrets, mac: MacAlgorithm): PacketOpener;
    }
);

const ciphers: ReadonlyMap<string, CipherAlgorithm> = new Map<string, CipherAlgorithm>([
  ['aes256-gcm@openssh.com', gcm('aes-256-gcm', 32)],
  ['aes128-gcm@openssh.com', gcm('aes-128-gcm', 16)],
  [
    'chacha20-poly1305@openssh.com',
    { keyBytes: 64, ivBytes: 0, authenticated: true, sealer: chachaSealer, opener: chachaOpener },
  ],
  ['aes256-ctr', ctr('aes-256-ctr', 32)],
  ['aes128-ctr', ctr('aes-128-ctr', 16)],
]);

const macs: ReadonlyMap<string, MacAlgorithm> = new Map([
  ['hmac-sha2-256-etm@openssh.com', { hash: 'sha256', keyBytes: 32, tagBytes: 32, encryptThenMac: true }],
  ['hmac-sha2-512-etm@openssh.com', { hash: 'sha512', keyBytes: 64, tagBytes: 64, encryptThenMac: true }],
  ['hmac-sha2-256', { hash: 'sha256', keyBytes: 32, tagBytes: 32, encryptThenMac: false }],
  ['hmac-sha2-512', { hash: 'sha512', keyBytes: 64, tagBytes: 64, encryptThenMac: false }],
]);

/** Whether the negotiated MAC is not used with this cipher. @throws AlgorithmError `unknown-algorithm`. */
export function isAuthenticatedCipher(name: string): boolean {
  return cipherNamed(name).authenticated;
}

/** @throws AlgorithmError `unknown-algorithm`. */
export function expectMac(name: string): void {
  macNamed(name);
}

/** Encrypts one direction with keys drawn from `derive`. @throws AlgorithmError `unknown-algorithm`. */
export function sealerNamed(
  cipherName: string,
  macName: string,
  derive: (lengths: SecretLengths) => DirectionSecrets,
): PacketSealer {
  const cipher = cipherNamed(cipherName);
  if (cipher.authenticated)
    return erasing(derive({ ...lengthsOf(cipher), macKeyBytes: 0 }), (secrets) => cipher.sealer(secrets));
  const mac = macNamed(macName);
  return erasing(derive({ ...lengthsOf(cipher), macKeyBytes: mac.keyBytes }), (secrets) =>
    cipher.sealer(secrets, mac),
  );
}

/** Decrypts one direction with keys drawn from `derive`. @throws AlgorithmError `unknown-algorithm`. */
export function openerNamed(
  cipherName: string,
  macName: string,
  derive: (lengths: SecretLengths) => DirectionSecrets,
): PacketOpener {
  const cipher = cipherNamed(cipherName);
  if (cipher.authenticated)
    return erasing(derive({ ...lengthsOf(cipher), macKeyBytes: 0 }), (secrets) => cipher.opener(secrets));
  const mac = macNamed(macName);
  return erasing(derive({ ...lengthsOf(cipher), macKeyBytes: mac.keyBytes }), (secrets) =>
    cipher.opener(secrets, mac),
  );
}

function lengthsOf(cipher: CipherAlgorithm) {
  return { ivBytes: cipher.ivBytes, keyBytes: cipher.keyBytes };
}

/** The keys live on in key objects only. */
function erasing<T>(secrets: DirectionSecrets, make: (secrets: DirectionSecrets) => T): T {
  const made = make(secrets);
  secrets.iv.fill(0);
  secrets.key.fill(0);
  secrets.macKey.fill(0);
  return made;
}

function cipherNamed(name: string): CipherAlgorithm {
  const found = ciphers.get(name);
  if (found === undefined) throw new AlgorithmError('unknown-algorithm', `no cipher is called ${name}`);
  return found;
}

function macNamed(name: string): MacAlgorithm {
  const found = macs.get(name);
  if (found === undefined) throw new AlgorithmError('unknown-algorithm', `no MAC is called ${name}`);
  return found;
}

function gcm(name: GcmName, keyBytes: number): CipherAlgorithm {
  return {
    keyBytes,
    ivBytes: 12,
    authenticated: true,
    sealer: (secrets) => gcmSealer(name, secrets),
    opener: (secrets) => gcmOpener(name, secrets),
  };
}

function ctr(name: CtrName, keyBytes: number): CipherAlgorithm {
  return {
    keyBytes,
    ivBytes: 16,
    authenticated: false,
    sealer: (secrets, mac) => ctrSealer(name, mac, secrets),
    opener: (secrets, mac) => ctrOpener(name, mac, secrets),
  };
}
