import { createECDH, generateKeyPairSync, type KeyObject, randomUUID, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { type FakeResponse, type FakeService, jsonAnswer, jsonError } from './fake-aws.ts';

type KeySpec = 'ECC_NIST_P256' | 'ECC_NIST_EDWARDS25519' | 'SYMMETRIC_DEFAULT';

export type FakeKmsKey = {
  readonly id: string;
  readonly arn: string;
  readonly spec: KeySpec;
  /** Absent of symmetric keys. */
  readonly privateKey?: KeyObject;
  readonly publicKey?: KeyObject;
  enabled: boolean;
};

export type FakeKms = FakeService & { readonly keys: readonly FakeKmsKey[] };

export type FakeKmsOptions = {
  readonly account?: string;
  readonly region?: string;
  /** Keys that are there from the start. */
  readonly keys?: readonly { readonly id: string; readonly spec: KeySpec }[];
};

const createInput = z.looseObject({
  KeySpec: z
    .enum(['ECC_NIST_P256', 'ECC_NIST_EDWARDS25519', 'SYMMETRIC_DEFAULT'])
    .default('SYMMETRIC_DEFAULT'),
  KeyUsage: z.enum(['SIGN_VERIFY', 'ENCRYPT_DECRYPT']).default('ENCRYPT_DECRYPT'),
});
const keyInput = z.looseObject({ KeyId: z.string() });
const signInput = keyInput.extend({
  Message: z.base64(),
  MessageType: z.enum(['RAW', 'DIGEST']).default('RAW'),
  SigningAlgorithm: z.string(),
});
const verifyInput = signInput.extend({ Signature: z.base64() });

const maxRawBytes = 4096;
/** Order of the curve P-256 (FIPS 186-4, D.1.2.3). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Asymmetric keys of KMS: P-256 over digests and messages, Ed25519 over messages. */
export function fakeKms(options: FakeKmsOptions = {}): FakeKms {
  const { account = '123456789012', region = 'eu-central-1' } = options;
  const keys: FakeKmsKey[] = [];
  for (const { id, spec } of options.keys ?? []) add(id, spec);
  const find = (wanted: string) => keys.find(({ id, arn }) => id === wanted || arn === wanted);

  function add(id: string, spec: KeySpec): FakeKmsKey {
    const pair =
      spec === 'ECC_NIST_P256'
        ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
        : spec === 'ECC_NIST_EDWARDS25519'
          ? generateKeyPairSync('ed25519')
          : {};
    const key = { id, arn: `arn:aws:kms:${region}:${account}:key/${id}`, spec, enabled: true, ...pair };
    keys.push(key);
    return key;
  }

  function create(body: unknown): FakeResponse {
    const parsed = createInput.safeParse(body);
    if (!parsed.success) return jsonError(400, 'ValidationException', parsed.error.message);
    const { KeySpec, KeyUsage } = parsed.data;
    if ((KeySpec === 'SYMMETRIC_DEFAULT') !== (KeyUsage === 'ENCRYPT_DECRYPT'))
      return jsonError(400, 'ValidationException', `KeyUsage ${KeyUsage} is not one of ${KeySpec}`);
    const { id, arn } = add(randomUUID(), KeySpec);
    return jsonAnswer({ KeyMetadata: { KeyId: id, Arn: arn, KeySpec, KeyUsage, Enabled: true } });
  }

  return {
    service: 'kms',
    keys,
    handle(request) {
      const body: unknown = JSON.parse(request.body.toString('utf8') || '{}');
      if (request.operation === 'CreateKey') return create(body);
      const named = keyInput.safeParse(body);
      if (!named.success) return undefined;
      const key = find(named.data.KeyId);
      if (key === undefined)
        return jsonError(400, 'NotFoundException', `Key '${named.data.KeyId}' does not exist`);
      if (!key.enabled && request.operation !== 'EnableKey')
        return jsonError(400, 'DisabledException', `${key.arn} is disabled.`);
      switch (request.operation) {
        case 'GetPublicKey':
          return publicKeyOf(key);
        case 'Sign':
          return signed(key, body);
        case 'Verify':
          return verified(key, body);
        case 'DisableKey':
          key.enabled = false;
          return jsonAnswer({});
        case 'EnableKey':
          key.enabled = true;
          return jsonAnswer({});
        default:
          return undefined;
      }
    },
  };
}

function publicKeyOf(key: FakeKmsKey): FakeResponse {
  if (key.publicKey === undefined)
    return jsonError(400, 'UnsupportedOperationException', 'a symmetric key has no public key');
  return jsonAnswer({
    KeyId: key.arn,
    KeySpec: key.spec,
    KeyUsage: 'SIGN_VERIFY',
    PublicKey: key.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
  });
}

function signed(key: FakeKmsKey, body: unknown): FakeResponse {
  const parsed = signInput.safeParse(body);
  if (!parsed.success) return jsonError(400, 'ValidationException', parsed.error.message);
  const refusal = refusalOf(key, parsed.data);
  if (refusal !== undefined || key.privateKey === undefined) return refusal ?? notForSigning(key);
  const { Message, MessageType, SigningAlgorithm } = parsed.data;
  const bytes = Buffer.from(Message, 'base64');
  const signature =
    MessageType === 'DIGEST'
      ? signDigest(key.privateKey, bytes)
      : sign(key.spec === 'ECC_NIST_P256' ? 'sha256' : null, bytes, key.privateKey);
  return jsonAnswer({ KeyId: key.arn, SigningAlgorithm, Signature: signature.toString('base64') });
}

/** Of messages alone: Node has no way to verify a digest as it is. */
function verified(key: FakeKmsKey, body: unknown): FakeResponse | undefined {
  const parsed = verifyInput.safeParse(body);
  if (!parsed.success) return jsonError(400, 'ValidationException', parsed.error.message);
  const refusal = refusalOf(key, parsed.data);
  if (refusal !== undefined || key.publicKey === undefined) return refusal ?? notForSigning(key);
  const { Message, MessageType, SigningAlgorithm, Signature } = parsed.data;
  if (MessageType === 'DIGEST') return undefined;
  const [message, signature] = [Buffer.from(Message, 'base64'), Buffer.from(Signature, 'base64')];
  if (!verify(key.spec === 'ECC_NIST_P256' ? 'sha256' : null, message, key.publicKey, signature))
    return jsonError(400, 'KMSInvalidSignatureException', '');
  return jsonAnswer({ KeyId: key.arn, SigningAlgorithm, SignatureValid: true });
}

function refusalOf(
  key: FakeKmsKey,
  { Message, MessageType, SigningAlgorithm }: z.output<typeof signInput>,
): FakeResponse | undefined {
  if (key.spec === 'SYMMETRIC_DEFAULT') return notForSigning(key);
  const wanted = key.spec === 'ECC_NIST_P256' ? 'ECDSA_SHA_256' : 'ED25519_SHA_512';
  if (SigningAlgorithm !== wanted)
    return jsonError(
      400,
      'InvalidKeyUsageException',
      `Algorithm ${SigningAlgorithm} is incompatible with key spec ${key.spec}.`,
    );
  if (key.spec === 'ECC_NIST_EDWARDS25519' && MessageType !== 'RAW')
    return jsonError(400, 'ValidationException', `${SigningAlgorithm} is not for MessageType ${MessageType}`);
  const bytes = Buffer.from(Message, 'base64');
  if (bytes.length === 0 || bytes.length > maxRawBytes)
    return jsonError(
      400,
      'ValidationException',
      "Value at 'message' failed to satisfy constraint: Member must have length between 1 and 4096",
    );
  if (MessageType === 'DIGEST' && bytes.length !== 32)
    return jsonError(400, 'ValidationException', 'Digest is invalid length for algorithm ECDSA_SHA_256.');
  return undefined;
}

function notForSigning({ arn }: FakeKmsKey): FakeResponse {
  return jsonError(400, 'InvalidKeyUsageException', `${arn} key usage is ENCRYPT_DECRYPT, not SIGN_VERIFY.`);
}

/** ECDSA over a digest as it is (FIPS 186-4 §6.4), which Node's own sign would hash again. */
function signDigest(privateKey: KeyObject, digest: Buffer): Buffer {
  const { d = '' } = privateKey.export({ format: 'jwk' });
  const secret = bigOf(Buffer.from(d, 'base64url'));
  for (;;) {
    const ephemeral = createECDH('prime256v1');
    const point = ephemeral.generateKeys();
    const r = bigOf(point.subarray(1, 33)) % order;
    const s = (inverse(bigOf(ephemeral.getPrivateKey())) * (bigOf(digest) + r * secret)) % order;
    if (r !== 0n && s !== 0n) return der(r, s);
  }
}

function bigOf(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex') || '0'}`);
}

/** By Fermat's little theorem: the order is prime. */
function inverse(value: bigint): bigint {
  let [result, base, exponent] = [1n, value % order, order - 2n];
  while (exponent > 0n) {
    if (exponent % 2n === 1n) result = (result * base) % order;
    base = (base * base) % order;
    exponent /= 2n;
  }
  return result;
}

function der(r: bigint, s: bigint): Buffer {
  const integers = [r, s].map((value) => {
    const hex = value.toString(16);
    const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
    const positive = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
    return Buffer.concat([Buffer.of(2, positive.length), positive]);
  });
  const content = Buffer.concat(integers);
  return Buffer.concat([Buffer.of(0x30, content.length), content]);
}
