import { createPublicKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { createFolderBlobStore, type DigestSettings, openFileSigner } from '#adapters/local';
import type { Configuration } from '#core/configuration';
import type { Signer } from '#core/contract';
import { type DigestKey, digestKeyOf } from '#core/digest';
import { CliError } from './cli-error.ts';
import type { DataDirectory } from './data-directory.ts';
import { openOrMakeSigner, readConfiguration } from './installation.ts';

type Keys = Pick<Configuration, 'evidence' | 'userAuthority' | 'engineerAuthority' | 'hostAuthority'>;

/**
 * How the journals of an installation sign what they hold. The evidence key is made where there is none, and its public key beside it.
 * @throws CliError where it is the key of an authority, SignerError
 */
export async function digestSettings(data: DataDirectory, configuration: Keys): Promise<DigestSettings> {
  const { evidence, userAuthority, engineerAuthority, hostAuthority } = configuration;
  const inFolder = (path: string) => resolve(dirname(data.configuration), path);
  const signer = await openOrMakeSigner(inFolder(evidence.keyFile));
  const authorities = [userAuthority, engineerAuthority, hostAuthority].flatMap((each) =>
    each === undefined ? [] : [each.keyFile],
  );
  for (const keyFile of authorities) {
    if (keyFile === engineerAuthority?.keyFile && !existsSync(inFolder(keyFile))) continue;
    const authority = await openFileSigner(inFolder(keyFile));
    if (authority.publicKeySpki.equals(signer.publicKeySpki))
      throw new CliError(
        'unusable-data',
        `${evidence.keyFile} is also the key of ${keyFile}, so that whoever lets people in could forge what they did; name another file under evidence.keyFile`,
      );
  }
  await writePublicKey(`${inFolder(evidence.keyFile)}.pub`, signer);
  return {
    signer,
    blobs: createFolderBlobStore(data.lake),
    everyMs: evidence.digestEverySeconds * 1000,
    everyRecords: evidence.digestEveryRecords,
    ...(evidence.previousKeyFile === undefined
      ? {}
      : { predecessor: await openFileSigner(inFolder(evidence.previousKeyFile)) }),
  };
}

/** The public keys that lie beside an installation's evidence keys: as trustworthy as the folder they lie in. */
export function evidenceKeysBeside(data: DataDirectory): readonly DigestKey[] {
  const { keyFile, previousKeyFile } = existsSync(data.configuration)
    ? readConfiguration(data).evidence
    : { keyFile: data.evidenceKey, previousKeyFile: undefined };
  return [keyFile, previousKeyFile].flatMap((file) => {
    const path = file === undefined ? '' : `${resolve(dirname(data.configuration), file)}.pub`;
    return existsSync(path) ? [readEvidenceKey(path)] : [];
  });
}

/** @throws CliError `bad-input` */
export function readEvidenceKey(path: string): DigestKey {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CliError('not-verifiable', `cannot read ${path}; name the file of the evidence key`, { cause });
  }
  const key = digestKeyOf(pem);
  if (key === undefined)
    throw new CliError(
      'not-verifiable',
      `${path} is no public key in PEM of Ed25519 or P-256; name the .pub file beside the evidence key`,
    );
  return key;
}

async function writePublicKey(path: string, { publicKeySpki }: Signer): Promise<void> {
  const key = createPublicKey({ key: publicKeySpki, format: 'der', type: 'spki' });
  const pem = String(key.export({ type: 'spki', format: 'pem' }));
  if (existsSync(path) && (await readFile(path, 'utf8')) === pem) return;
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, pem, { mode: 0o600 });
  await rename(unfinished, path);
}
