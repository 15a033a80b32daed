import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Signer } from '#core/contract';
import { SignerError } from './signer-error.ts';

const maxKeyFileBytes = 16 * 1024;

/**
 * Signs with the Ed25519 key (PKCS#8 PEM) in a file that only its owner may read.
 * @throws SignerError `absent`, `unsafe`, `invalid`, `unreadable`
 */
export async function openFileSigner(path: string): Promise<Signer> {
  const pem = await readKeyFile(path);
  try {
    return keySigner(privateKey(path, pem));
  } finally {
    pem.fill(0);
  }
}

/**
 * Makes a new key in a new file, 0600.
 * @throws SignerError `exists`, `unwritable`
 */
export async function createFileSigner(path: string): Promise<Signer> {
  const { privateKey: key } = generateKeyPairSync('ed25519');
  const pem = Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }));
  try {
    await writeKeyFile(path, pem);
  } finally {
    pem.fill(0);
  }
  return keySigner(key);
}

function keySigner(key: KeyObject): Signer {
  return {
    algorithm: 'ed25519',
    publicKeySpki: createPublicKey(key).export({ type: 'spki', format: 'der' }),
    sign: async (message) => sign(null, message, key),
  };
}

function privateKey(path: string, pem: Buffer): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey({ key: pem, format: 'pem' });
  } catch {
    // OpenSSL's reason is left out: it says nothing a person could use.
    key = undefined;
  }
  if (key?.asymmetricKeyType !== 'ed25519')
    throw new SignerError(
      'invalid',
      `${JSON.stringify(path)} is not an Ed25519 private key in PKCS#8 PEM without a passphrase; name another file or make a new key`,
    );
  return key;
}

async function readKeyFile(path: string): Promise<Buffer> {
  const file = await openKeyFile(path);
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > maxKeyFileBytes)
      throw new SignerError('invalid', `${JSON.stringify(path)} is not a key file; name another one`);
    if ((found.mode & 0o077) !== 0)
      throw new SignerError(
        'unsafe',
        `the key file ${JSON.stringify(path)} is open to others (mode ${(found.mode & 0o777).toString(8)}); run: chmod 600 ${shellQuoted(path)}, and replace the key if somebody may have read it`,
      );
    const us = process.geteuid?.();
    if (us !== undefined && found.uid !== us && found.uid !== 0)
      throw new SignerError(
        'unsafe',
        `the key file ${JSON.stringify(path)} belongs to another account (${found.uid}); run: chown ${us} ${shellQuoted(path)}`,
      );
    return await file.readFile();
  } catch (cause) {
    throw signerError('unreadable', path, 'could not be read', cause);
  } finally {
    await file.close();
  }
}

async function openKeyFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'ENOENT')
      throw new SignerError('absent', `there is no key file ${JSON.stringify(path)}; make one first`, {
        cause,
      });
    if (code === 'ELOOP')
      throw new SignerError(
        'unsafe',
        `the key file ${JSON.stringify(path)} is a symbolic link; name the file itself`,
        { cause },
      );
    throw signerError('unreadable', path, 'could not be opened', cause);
  }
}

async function writeKeyFile(path: string, pem: Buffer): Promise<void> {
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  let file: FileHandle;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    file = await open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST')
      throw new SignerError('exists', `the key file ${JSON.stringify(path)} exists and is never replaced`, {
        cause,
      });
    throw signerError('unwritable', path, 'could not be made', cause);
  }
  try {
    await file.writeFile(pem);
    await file.sync();
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(path, { force: true });
    throw signerError('unwritable', path, 'could not be written', cause);
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function signerError(
  code: 'unreadable' | 'unwritable',
  path: string,
  problem: string,
  cause: unknown,
): SignerError {
  if (cause instanceof SignerError) return cause;
  const reason = systemCode(cause);
  return new SignerError(
    code,
    `the key file ${JSON.stringify(path)} ${problem}${reason === undefined ? '' : ` (${reason})`}; check its folder and permissions`,
    { cause },
  );
}

function shellQuoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
