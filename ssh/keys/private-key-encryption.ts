import { createDecipheriv } from 'node:crypto';
import bcrypt from 'bcrypt-pbkdf';
import { WireReader } from '../wire/index.ts';
import { KeyError } from './key-error.ts';

/** How the secret part of an OpenSSH key file is encrypted (PROTOCOL.key); each field as it stands in the file. */
export type SecretEncryption = {
  readonly cipher: string;
  readonly derivation: string;
  readonly derivationOptions: Buffer;
};

type FileCipher = {
  readonly name: string;
  readonly keyBytes: number;
  readonly ivBytes: number;
  readonly tagBytes: number;
};

/** Those that ssh-keygen -Z makes and node:crypto has. CBC is read alone: for files of long ago, which nobody changes on their way. */
const ciphers: ReadonlyMap<string, FileCipher> = new Map(
  [128, 192, 256].flatMap((bits): [string, FileCipher][] => [
    [`aes${bits}-ctr`, { name: `aes-${bits}-ctr`, keyBytes: bits / 8, ivBytes: 16, tagBytes: 0 }],
    [`aes${bits}-cbc`, { name: `aes-${bits}-cbc`, keyBytes: bits / 8, ivBytes: 16, tagBytes: 0 }],
    [
      `aes${bits}-gcm@openssh.com`,
      { name: `aes-${bits}-gcm`, keyBytes: bits / 8, ivBytes: 12, tagBytes: 16 },
    ],
  ]),
);

const MAX_SALT_BYTES = 64;
/** ssh-keygen takes 16 or 24 unless told; here a round takes about 10 ms, and a hostile file must not take minutes. */
const MAX_ROUNDS = 256;

/** How many bytes of authentication tag follow the secret part in the file. */
export function tagBytesOf({ cipher }: SecretEncryption): number {
  return cipherNamed(cipher).tagBytes;
}

/**
 * Decrypts the secret part. Whether the passphrase was right shows only where the cipher authenticates; else the check numbers within tell.
 *
 * @throws KeyError `encrypted` (the passphrase is wrong), `unsupported-encryption`, `malformed`; WireError
 */
export function decryptSecret(
  encryption: SecretEncryption,
  sealed: Buffer,
  tag: Buffer,
  passphrase: string,
): Buffer {
  const { name, keyBytes, ivBytes, tagBytes } = cipherNamed(encryption.cipher);
  const derived = derive(encryption, passphrase, keyBytes + ivBytes);
  try {
    const decipher = createDecipheriv(name, derived.subarray(0, keyBytes), derived.subarray(keyBytes));
    if ('setAutoPadding' in decipher) decipher.setAutoPadding(false);
    if (tagBytes > 0 && 'setAuthTag' in decipher && typeof decipher.setAuthTag === 'function')
      decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(sealed), decipher.final()]);
  } catch (cause) {
    if (tagBytes > 0) throw wrongPassphrase(cause);
    throw new KeyError(
      'malformed',
      'the secret part of a private key file has not the length of its cipher',
      {
        cause,
      },
    );
  } finally {
    derived.fill(0);
  }
}

export function wrongPassphrase(cause?: unknown): KeyError {
  return new KeyError(
    'encrypted',
    'the passphrase is not that of the private key; give the right one',
    cause === undefined ? {} : { cause },
  );
}

function derive(
  { derivation, derivationOptions }: SecretEncryption,
  passphrase: string,
  length: number,
): Buffer {
  if (derivation !== 'bcrypt')
    throw new KeyError(
      'unsupported-encryption',
      'a private key file derives its key in another way than bcrypt; write it anew with ssh-keygen -p',
    );
  const options = new WireReader(derivationOptions);
  const salt = options.string();
  const rounds = options.uint32();
  options.end();
  // Before anything is computed.
  if (salt.length === 0 || salt.length > MAX_SALT_BYTES || rounds === 0 || rounds > MAX_ROUNDS)
    throw new KeyError(
      'unsupported-encryption',
      `a private key file wants ${rounds} rounds of bcrypt; write it anew with ssh-keygen -p -a 24 (at most ${MAX_ROUNDS})`,
    );
  const secret = Buffer.from(passphrase, 'utf8');
  const key = Buffer.alloc(length);
  try {
    if (
      secret.length === 0 ||
      bcrypt.pbkdf(secret, secret.length, salt, salt.length, key, length, rounds) !== 0
    )
      throw wrongPassphrase();
    return key;
  } finally {
    secret.fill(0);
  }
}

function cipherNamed(name: string): FileCipher {
  const found = ciphers.get(name);
  if (found === undefined)
    throw new KeyError(
      'unsupported-encryption',
      'a private key file is encrypted with a cipher that is not read here; write it anew with ssh-keygen -p -Z aes256-ctr',
    );
  return found;
}
