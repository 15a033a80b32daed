import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { GetPublicKeyCommand, type KMSClient, SignCommand, type SignCommandInput } from '@aws-sdk/client-kms';
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

const limits: AttemptLimits = { deadlineMs: 8_000, attemptMs: 3_000 };
/** KMS takes a whole message only up to this. */
const maxRawBytes = 4096;

/**
 * Signs with an asymmetric key of KMS: ECC_NIST_P256 (the digest is sent, so a message may have any length) or ECC_NIST_EDWARDS25519
 * (pure Ed25519, which OpenSSH wants, takes the whole message: 4096 bytes at most). Every signature is verified before it is given out.
 * @throws KmsError `unusable-key` for another kind of key, `unreadable`
 */
export async function openKmsSigner(options: {
  readonly client: KMSClient;
  /** Id, ARN or alias. */
  readonly keyId: string;
}): Promise<Signer> {
  const { client, keyId } = options;
  const subject = `the key ${JSON.stringify(keyId)}`;
  const publicKeySpki = await publicKeyOf(client, keyId, subject);
  const publicKey = readPublicKey(publicKeySpki, subject);
  const algorithm = algorithmOf(publicKey, subject);
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
      const signature = await send(client, signInput(algorithm, keyId, bytes), subject);
      const hash = algorithm === 'ed25519' ? null : 'sha256';
      if (!verify(hash, bytes, publicKey, signature))
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

async function publicKeyOf(client: KMSClient, keyId: string, subject: string): Promise<Buffer> {
  try {
    const { PublicKey, KeyUsage } = await attempt(limits, (abortSignal) =>
      client.send(new GetPublicKeyCommand({ KeyId: keyId }), { abortSignal }),
    );
    if (PublicKey === undefined || (KeyUsage !== undefined && KeyUsage !== 'SIGN_VERIFY'))
      throw new KmsError('unusable-key', `${subject} is not one that signs; name a SIGN_VERIFY key`);
    return Buffer.from(PublicKey);
  } catch (cause) {
    if (cause instanceof KmsError) throw cause;
    throw new KmsError(
      'unreadable',
      `the public key of ${subject} could not be read: ${awsFaultWords('KMS', 'kms:GetPublicKey', cause)}`,
      { cause },
    );
  }
}

async function send(client: KMSClient, input: SignCommandInput, subject: string): Promise<Buffer> {
  try {
    const { Signature } = await attempt(limits, (abortSignal) =>
      client.send(new SignCommand(input), { abortSignal }),
    );
    return Buffer.from(Signature ?? []);
  } catch (cause) {
    throw new KmsError('unsigned', `${subject} did not sign: ${awsFaultWords('KMS', 'kms:Sign', cause)}`, {
      cause,
    });
  }
}

function readPublicKey(spki: Buffer, subject: string): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch (cause) {
    throw new KmsError('unusable-key', `${subject} has a public key that cannot be read`, { cause });
  }
}

function algorithmOf(key: KeyObject, subject: string): Signer['algorithm'] {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1')
    return 'ecdsa-p256-sha256';
  throw new KmsError(
    'unusable-key',
    `${subject} is ${key.asymmetricKeyType ?? 'of an unknown kind'}; use ECC_NIST_P256 or ECC_NIST_EDWARDS25519`,
  );
}
