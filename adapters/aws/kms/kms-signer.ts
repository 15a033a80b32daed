import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import {
  GetPublicKeyCommand,
  type GetPublicKeyCommandOutput,
  type KMSClient,
  SignCommand,
  type SignCommandInput,
} from '@aws-sdk/client-kms';
import type { Signer } from '#core/contract';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';

export type KmsErrorCode = 'unusable-key' | 'unreadable' | 'unsigned' | 'too-long';

export class KmsError extends Error {
  override readonly name = 'KmsError';
  readonly code: KmsErrorCode;

  constructor(code: KmsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type KmsSignerOptions = {
  /** Best with `maxAttempts: 1`: calls are repeated here. */
  readonly client: KMSClient;
  /** Id, ARN or alias. */
  readonly keyId: string;
  /** Calls off the opening and every signature after it. */
  readonly signal?: AbortSignal;
  /** Of the opening and of each signature; 5 seconds when absent. */
  readonly deadlineMs?: number;
};

const attemptMs = 2_000;
/** KMS takes a whole message only up to this. */
const maxRawBytes = 4096;
const wanted = 'use a SIGN_VERIFY key of ECC_NIST_P256 or ECC_NIST_EDWARDS25519';

/** What KMS says of a key that no repetition makes usable. */
const states: Readonly<Record<string, string>> = {
  DisabledException: 'it is disabled; enable it, or name another key',
  KMSInvalidStateException: 'its state does not allow it; if it waits for its deletion, cancel that',
  NotFoundException: 'there is no such key; look at its id, its account and the region',
  InvalidArnException: 'that is no ARN of a key; look at its id',
  InvalidKeyUsageException: `it is not one that signs this way; ${wanted}`,
  UnsupportedOperationException: `it has no public key; ${wanted}`,
};

/**
 * Signs with an asymmetric key of KMS: ECC_NIST_P256 (the digest is sent, so a message may have any length) or ECC_NIST_EDWARDS25519
 * (pure Ed25519, which OpenSSH wants, takes the whole message: 1 to 4096 bytes). Every signature is verified before it is given out.
 * All of them are of the key that was found at the opening, wherever an alias points later.
 * @throws KmsError `unusable-key` for another kind of key or one that is disabled, `unreadable`; when signing `unsigned`, `too-long`
 */
export async function openKmsSigner(options: KmsSignerOptions): Promise<Signer> {
  const { client, keyId, signal, deadlineMs = 5_000 } = options;
  const limits: AttemptLimits = { deadlineMs, attemptMs, signal };
  const subject = `the key ${JSON.stringify(keyId)}`;
  const found = await describeKey(client, keyId, limits, subject);
  const publicKeySpki = Buffer.from(found.PublicKey ?? []);
  const publicKey = readPublicKey(publicKeySpki, subject);
  const algorithm = algorithmOf(found, publicKey, subject);
  const foundId = found.KeyId ?? keyId;
  return {
    algorithm,
    publicKeySpki,
    async sign(message) {
      const bytes = Buffer.from(message);
      if (algorithm === 'ed25519' && bytes.length > maxRawBytes)
        throw new KmsError(
          'too-long',
          `KMS signs at most ${maxRawBytes} bytes with an Ed25519 key, and these are ${bytes.length}; use fewer principals, or a P-256 key`,
        );
      const signature = await send(client, signInput(algorithm, foundId, bytes), limits, subject);
      if (!verify(algorithm === 'ed25519' ? null : 'sha256', bytes, publicKey, signature))
        throw new KmsError(
          'unsigned',
          `${subject} gave a signature that does not verify with its own public key; do not use it, and ask AWS support`,
        );
      return signature;
    },
  };
}

function signInput(algorithm: Signer['algorithm'], keyId: string, bytes: Buffer): SignCommandInput {
  return algorithm === 'ed25519'
    ? { KeyId: keyId, Message: bytes, MessageType: 'RAW', SigningAlgorithm: 'ED25519_SHA_512' }
    : {
        KeyId: keyId,
        Message: createHash('sha256').update(bytes).digest(),
        MessageType: 'DIGEST',
        SigningAlgorithm: 'ECDSA_SHA_256',
      };
}

async function describeKey(
  client: KMSClient,
  keyId: string,
  limits: AttemptLimits,
  subject: string,
): Promise<GetPublicKeyCommandOutput> {
  try {
    return await attempt(limits, (abortSignal) =>
      client.send(new GetPublicKeyCommand({ KeyId: keyId }), { abortSignal }),
    );
  } catch (cause) {
    const state = states[nameOf(cause)];
    if (state !== undefined)
      throw new KmsError('unusable-key', `${subject} cannot be used: ${state}`, { cause });
    throw new KmsError(
      'unreadable',
      `the public key of ${subject} could not be read: ${reasonOf(cause, 'kms:GetPublicKey', limits.signal)}`,
      { cause },
    );
  }
}

async function send(
  client: KMSClient,
  input: SignCommandInput,
  limits: AttemptLimits,
  subject: string,
): Promise<Buffer> {
  try {
    const { Signature } = await attempt(limits, (abortSignal) =>
      client.send(new SignCommand(input), { abortSignal }),
    );
    return Buffer.from(Signature ?? []);
  } catch (cause) {
    const reason = states[nameOf(cause)] ?? reasonOf(cause, 'kms:Sign', limits.signal);
    throw new KmsError('unsigned', `${subject} did not sign: ${reason}`, { cause });
  }
}

function readPublicKey(spki: Buffer, subject: string): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch (cause) {
    throw new KmsError('unusable-key', `${subject} has a public key that cannot be read; ${wanted}`, {
      cause,
    });
  }
}

/** From the public key itself; what KMS says of it, where it says it, must not speak against that. */
function algorithmOf(
  { KeySpec, KeyUsage }: GetPublicKeyCommandOutput,
  key: KeyObject,
  subject: string,
): Signer['algorithm'] {
  if (KeyUsage !== undefined && KeyUsage !== 'SIGN_VERIFY')
    throw new KmsError('unusable-key', `${subject} is there for ${KeyUsage}; ${wanted}`);
  if (key.asymmetricKeyType === 'ed25519' && (KeySpec ?? 'ECC_NIST_EDWARDS25519') === 'ECC_NIST_EDWARDS25519')
    return 'ed25519';
  if (
    key.asymmetricKeyType === 'ec' &&
    key.asymmetricKeyDetails?.namedCurve === 'prime256v1' &&
    (KeySpec ?? 'ECC_NIST_P256') === 'ECC_NIST_P256'
  )
    return 'ecdsa-p256-sha256';
  const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? 'of an unknown kind';
  throw new KmsError('unusable-key', `${subject} is ${KeySpec ?? kind}; ${wanted}`);
}

function reasonOf(cause: unknown, action: string, signal: AbortSignal | undefined): string {
  return signal?.aborted === true ? 'it was called off' : awsFaultWords('KMS', action, cause);
}

function nameOf(cause: unknown): string {
  return cause instanceof Error ? cause.name : '';
}
