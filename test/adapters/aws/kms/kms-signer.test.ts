import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import {
  CreateKeyCommand,
  type CreateKeyCommandInput,
  DisableKeyCommand,
  EnableKeyCommand,
  KMSClient,
  VerifyCommand,
} from '@aws-sdk/client-kms';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openKmsSigner } from '../../../../adapters/aws/kms/index.ts';
import {
  formatCertificateLine,
  mintCertificate,
  parseCertificate,
  userExtensions,
  verifyCertificate,
} from '../../../../ssh/certificate/index.ts';
import { generatePrivateKey, remoteSigner } from '../../../../ssh/keys/index.ts';
import { signerConformance } from '../../../conformance/signer.ts';
import { type FakeAws, jsonAnswer, jsonError, startFakeAws } from '../../../fakes/aws/fake-aws.ts';
import { fakeKms } from '../../../fakes/aws/kms.ts';
import { keygenDirectory } from '../../../ssh/keys/ssh-keygen.ts';
import { awsEndpoints, clientOptions } from '../../../support/aws-endpoints.ts';

const endpoints = await awsEndpoints(fakeKms());
const fake = endpoints[0]?.endpoint ?? '';
const keygen = keygenDirectory();
const specs = ['ECC_NIST_P256', 'ECC_NIST_EDWARDS25519'] as const;

function clientOf(endpoint: string): KMSClient {
  const client = new KMSClient(clientOptions(endpoint));
  onTestFinished(() => client.destroy());
  return client;
}

async function createKey(client: KMSClient, input: CreateKeyCommandInput): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand(input));
  return KeyMetadata?.Arn ?? '';
}

/** A signer, and a way to break the calls it makes. */
async function opened(spec: (typeof specs)[number] = 'ECC_NIST_P256', endpoint = fake) {
  const front = await startFakeAws({ services: [], upstream: endpoint });
  onTestFinished(() => front.close());
  const client = clientOf(front.endpoint);
  const keyId = await createKey(client, { KeySpec: spec, KeyUsage: 'SIGN_VERIFY' });
  return { client, front, keyId, signer: await openKmsSigner({ client, keyId, deadlineMs: 3_000 }) };
}

function answerSign(front: FakeAws, signature: Uint8Array): void {
  front.inject(({ operation }) =>
    operation === 'Sign'
      ? { kind: 'answer', ...jsonAnswer({ Signature: Buffer.from(signature).toString('base64') }) }
      : undefined,
  );
}

function refuseFirst(front: FakeAws, operation: string, times: number, status: number, code: string): void {
  let left = times;
  front.inject((request) => {
    if (request.operation !== operation || left === 0) return undefined;
    left -= 1;
    return { kind: 'answer', ...jsonError(status, code, 'later') };
  });
}

signerConformance('a P-256 key of KMS', async () => (await opened('ECC_NIST_P256')).signer);
signerConformance('an Ed25519 key of KMS', async () => (await opened('ECC_NIST_EDWARDS25519')).signer, {
  minMessageBytes: 1,
  maxMessageBytes: 4096,
});

// moto hashes a digest again, so its P-256 signatures do not verify, and it has no Ed25519; what it does have is a GetPublicKey
// without KeySpec, and a wrong answer to be found out.
describe.each(endpoints)('over $name', ({ endpoint }) => {
  it('reads the public key, and gives out a signature that verifies or none', async () => {
    const { signer } = await opened('ECC_NIST_P256', endpoint);
    const message = Buffer.from('head of the chain\n');
    const key = createPublicKey({ key: signer.publicKeySpki, format: 'der', type: 'spki' });

    const outcome = await signer.sign(message).then(
      (signature) => verify('sha256', message, key, signature),
      (error: unknown) => error,
    );

    expect(signer.algorithm).toBe('ecdsa-p256-sha256');
    if (outcome !== true) expect(outcome).toMatchObject({ name: 'KmsError', code: 'unsigned' });
  });

  it.each([
    ['a key that encrypts', { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' }],
    ...(endpoint === fake ? [] : [['a key of another curve', { KeySpec: 'ECC_NIST_P384' }] as const]),
  ] as const)('does not open %s', async (_name, input) => {
    const client = clientOf(endpoint);
    const keyId = await createKey(client, { KeyUsage: 'SIGN_VERIFY', ...input });

    const opening = openKmsSigner({ client, keyId });

    await expect(opening).rejects.toMatchObject({ name: 'KmsError', code: 'unusable-key' });
    await expect(opening).rejects.toThrow(/use a SIGN_VERIFY key of ECC_NIST_P256 or ECC_NIST_EDWARDS25519/);
  });

  it('says that there is no such key', async () => {
    const opening = openKmsSigner({
      client: clientOf(endpoint),
      keyId: '00000000-0000-4000-8000-000000000000',
    });

    await expect(opening).rejects.toMatchObject({ name: 'KmsError', code: 'unusable-key' });
    await expect(opening).rejects.toThrow(/there is no such key; look at its id, its account and the region/);
  });
});

describe('openKmsSigner', () => {
  it.each(specs)('signs certificates with %s that ssh-keygen reads', async (spec) => {
    const { signer } = await opened(spec);
    const authority = remoteSigner(signer);
    const subject = generatePrivateKey('ed25519');

    const blob = await mintCertificate(
      {
        kind: 'user',
        publicKey: subject.publicKey,
        keyId: 'arn:aws:iam::123456789012:user/engineer',
        serial: 7n,
        principals: ['engineer'],
        validAfter: 1_799_999_940n,
        validBefore: 1_800_000_060n,
        extensions: userExtensions,
        nonce: randomBytes(32),
      },
      authority,
    );
    keygen.write(`${spec}-cert.pub`, `${formatCertificateLine(blob, 'a comment')}\n`);
    const listed = keygen.run(['-L', '-f', `${spec}-cert.pub`]);

    expect(listed).toContain('Key ID: "arn:aws:iam::123456789012:user/engineer"');
    expect(listed).toContain(
      spec === 'ECC_NIST_P256' ? '(using ecdsa-sha2-nistp256)' : '(using ssh-ed25519)',
    );
    const verdict = verifyCertificate(parseCertificate(blob), {
      kind: 'user',
      authorities: [authority.publicKey],
      principal: 'engineer',
      nowSeconds: 1_800_000_000,
    });
    expect(verdict.ok).toBe(true);
  });

  it('gives five hundred signatures that verify, of every length that DER has for them', async () => {
    const { signer } = await opened();
    const authority = remoteSigner(signer);
    const lengths = new Set<number>();

    for (let round = 0; round < 20; round += 1)
      await Promise.all(
        Array.from({ length: 25 }, async (_, index) => {
          const message = Buffer.from(`message ${round * 25 + index}`);
          lengths.add((await signer.sign(message)).length);
          expect(authority.publicKey.verify(message, await authority.sign(message))).toEqual({ valid: true });
        }),
      );

    // A leading zero byte is added to r or s, to both, or to none.
    expect([70, 71, 72].every((length) => lengths.has(length))).toBe(true);
  });

  it('signs what KMS itself verifies', async () => {
    const { client, keyId, signer } = await opened('ECC_NIST_EDWARDS25519');
    const message = Buffer.from('a certificate to be signed');

    const { SignatureValid } = await client.send(
      new VerifyCommand({
        KeyId: keyId,
        Message: message,
        MessageType: 'RAW',
        SigningAlgorithm: 'ED25519_SHA_512',
        Signature: await signer.sign(message),
      }),
    );

    expect(SignatureValid).toBe(true);
  });

  it('sends P-256 the digest alone, so that the message stays here', async () => {
    const { front, signer } = await opened();
    const sent: string[] = [];
    front.inject(({ operation, body }) => {
      if (operation === 'Sign') sent.push(body.toString('utf8'));
      return undefined;
    });

    await signer.sign(Buffer.alloc(100_000, 'secret'));

    expect(sent).toHaveLength(1);
    expect(JSON.parse(sent[0] ?? '')).toMatchObject({
      MessageType: 'DIGEST',
      SigningAlgorithm: 'ECDSA_SHA_256',
    });
    expect(sent[0]?.length).toBeLessThan(400);
  });

  it('refuses more than Ed25519 takes before it calls', async () => {
    const { front, signer } = await opened('ECC_NIST_EDWARDS25519');
    const before = front.calls.length;

    await signer.sign(Buffer.alloc(4096));
    const refused = signer.sign(Buffer.alloc(4097));

    await expect(refused).rejects.toMatchObject({ name: 'KmsError', code: 'too-long' });
    await expect(refused).rejects.toThrow(/at most 4096 bytes .* these are 4097/);
    expect(front.calls.length).toBe(before + 1);
  });

  it.each([
    [
      'of another key',
      sign('sha256', Buffer.from('x'), generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    ],
    ['that is empty', Buffer.alloc(0)],
    ['that is no DER', Buffer.alloc(71, 0x30)],
    ['of a zero r and s', Buffer.from('3006020100020100', 'hex')],
  ])('gives out no signature %s', async (_name, signature) => {
    const { front, signer } = await opened();
    answerSign(front, signature);

    await expect(signer.sign(Buffer.from('x'))).rejects.toMatchObject({ name: 'KmsError', code: 'unsigned' });
  });

  it('gives out no Ed25519 signature of another message', async () => {
    const { front, signer } = await opened('ECC_NIST_EDWARDS25519');
    const other = await signer.sign(Buffer.from('y'));
    answerSign(front, other);

    await expect(signer.sign(Buffer.from('x'))).rejects.toMatchObject({ code: 'unsigned' });
  });

  it('gives out nothing for random answers', async () => {
    const { front, signer } = await opened();
    front.inject(({ operation }) =>
      operation === 'Sign'
        ? { kind: 'answer', ...jsonAnswer({ Signature: randomBytes(72).toString('base64') }) }
        : undefined,
    );

    for (let round = 0; round < 50; round += 1)
      await expect(signer.sign(Buffer.from('x'))).rejects.toMatchObject({ code: 'unsigned' });
  });

  it('opens no disabled key, and says that a key was disabled since', async () => {
    const { client, keyId, signer } = await opened();
    await client.send(new DisableKeyCommand({ KeyId: keyId }));

    const opening = openKmsSigner({ client, keyId });
    const signing = signer.sign(Buffer.from('x'));

    await expect(opening).rejects.toMatchObject({ code: 'unusable-key' });
    await expect(opening).rejects.toThrow(/it is disabled; enable it/);
    await expect(signing).rejects.toMatchObject({ code: 'unsigned' });
    await expect(signing).rejects.toThrow(/it is disabled; enable it/);
    await client.send(new EnableKeyCommand({ KeyId: keyId }));
    expect((await signer.sign(Buffer.from('x'))).length).toBeGreaterThan(60);
  });

  it.each([
    ['says another spec than the key has', { KeySpec: 'ECC_SECG_P256K1' }],
    ['says that it encrypts', { KeyUsage: 'KEY_AGREEMENT' }],
    ['is of another curve', { KeySpec: undefined, PublicKey: spkiOf('secp256k1') }],
    ['is no key', { PublicKey: Buffer.from('no key').toString('base64') }],
    ['is absent', { PublicKey: undefined }],
  ])('opens no key whose answer %s', async (_name, changes) => {
    const { client, front, keyId, signer } = await opened();
    const answer = {
      KeySpec: 'ECC_NIST_P256',
      KeyUsage: 'SIGN_VERIFY',
      PublicKey: signer.publicKeySpki.toString('base64'),
      ...changes,
    };
    front.inject(() => ({ kind: 'answer', ...jsonAnswer(answer) }));

    await expect(openKmsSigner({ client, keyId })).rejects.toMatchObject({ code: 'unusable-key' });
  });

  it.each([
    [400, 'ThrottlingException'],
    [500, 'KMSInternalException'],
    [503, 'DependencyTimeoutException'],
  ])('tries again after %i %s', async (status, code) => {
    const { client, front, keyId, signer } = await opened();
    refuseFirst(front, 'GetPublicKey', 2, status, code);
    refuseFirst(front, 'Sign', 2, status, code);

    const again = await openKmsSigner({ client, keyId });
    const signature = await signer.sign(Buffer.from('x'));

    expect(again.publicKeySpki).toEqual(signer.publicKeySpki);
    expect(signature.length).toBeGreaterThan(60);
  });

  it('signs again where an answer was lost or the connection broke', async () => {
    const { front, signer } = await opened();
    const faults = ['lose-answer', 'reset'] as const;
    let next = 0;
    front.inject(({ operation }) => {
      const kind = operation === 'Sign' ? faults[next] : undefined;
      next += kind === undefined ? 0 : 1;
      return kind === undefined ? undefined : { kind };
    });

    expect((await signer.sign(Buffer.from('x'))).length).toBeGreaterThan(60);
  });

  it('gives up at its deadline and says that KMS did not answer', async () => {
    const { client, front, keyId } = await opened();
    const signer = await openKmsSigner({ client, keyId, deadlineMs: 150 });
    front.inject(() => ({ kind: 'delay', ms: 400 }));

    await expect(signer.sign(Buffer.from('x'))).rejects.toMatchObject({ code: 'unsigned' });
    await expect(openKmsSigner({ client, keyId, deadlineMs: 150 })).rejects.toThrow(/did not answer in time/);
  });

  it('asks once where a right is missing, and names it', async () => {
    const { client, front, keyId, signer } = await opened();
    front.inject(() => ({ kind: 'answer', ...jsonError(400, 'AccessDeniedException', 'no') }));
    const before = front.calls.length;

    await expect(openKmsSigner({ client, keyId })).rejects.toThrow(/lacks kms:GetPublicKey/);
    await expect(signer.sign(Buffer.from('x'))).rejects.toThrow(/lacks kms:Sign;/);

    expect(front.calls.length).toBe(before + 2);
  });

  it('stops when it is called off, before a call and during one', async () => {
    const { client, front, keyId } = await opened();
    const stop = new AbortController();
    const signer = await openKmsSigner({ client, keyId, signal: stop.signal });
    front.inject(() => {
      stop.abort();
      return { kind: 'answer', ...jsonError(500, 'KMSInternalException', 'later') };
    });
    const before = front.calls.length;

    await expect(signer.sign(Buffer.from('x'))).rejects.toThrow(/it was called off/);
    await expect(signer.sign(Buffer.from('x'))).rejects.toMatchObject({ code: 'unsigned' });
    await expect(openKmsSigner({ client, keyId, signal: stop.signal })).rejects.toMatchObject({
      code: 'unreadable',
    });

    expect(front.calls.length).toBe(before + 1);
  });

  it('signs with the key it found, wherever the alias points later', async () => {
    const { front, keyId } = await opened();
    const client = clientOf(front.endpoint);
    const asked: unknown[] = [];
    front.inject(({ operation, body }) => {
      const { KeyId } = JSON.parse(body.toString('utf8')) as { KeyId?: string };
      asked.push([operation, KeyId]);
      return undefined;
    });

    const signer = await openKmsSigner({ client, keyId: keyId.split('/').at(-1) ?? '' });
    await signer.sign(Buffer.from('x'));

    expect(asked).toEqual([
      ['GetPublicKey', keyId.split('/').at(-1)],
      ['Sign', keyId],
    ]);
  });
});

function spkiOf(namedCurve: string): string {
  return generateKeyPairSync('ec', { namedCurve })
    .publicKey.export({ type: 'spki', format: 'der' })
    .toString('base64');
}
