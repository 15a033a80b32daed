import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type FederatedIdentity,
  federatedExtensions,
  identityFromArn,
} from '../../../core/federation/index.ts';
import { createIdentityDirectory } from '../../../proxy-task/login/identity-directory.ts';
import {
  formatPublicKeyLine,
  generatePrivateKey,
  mintCertificate,
  parseCertificate,
  userExtensions,
} from '../../../ssh/index.ts';
import { privateKeyAsRemoteSigner } from '../../../ssh/keys/index.ts';

const engineers = generatePrivateKey('ed25519');
const others = generatePrivateKey('ed25519');
const nowSeconds = 1_800_000_000;
const roleArn = 'arn:aws:sts::123456789012:assumed-role/Engineer/alice';

function federatedIdentity(overrides: Partial<FederatedIdentity> = {}): FederatedIdentity {
  const read = identityFromArn(roleArn, 'AROAEXAMPLE:alice');
  if (!read.ok) throw new Error(read.message);
  return {
    ...read.caller,
    mfa: { verified: true, source: 'iam' },
    provedAtMs: nowSeconds * 1000 - 5000,
    ...overrides,
  };
}

async function offered(
  options: {
    readonly identity?: FederatedIdentity;
    readonly principals?: readonly string[];
    readonly extensions?: ReadonlyMap<string, string>;
    readonly signedBy?: typeof engineers;
  } = {},
) {
  const identity = options.identity ?? federatedIdentity();
  const key = generatePrivateKey('ed25519');
  const blob = await mintCertificate(
    {
      kind: 'user',
      publicKey: key.publicKey,
      keyId: identity.arn,
      serial: 7n,
      principals: options.principals ?? [identity.name],
      validAfter: BigInt(nowSeconds - 30),
      validBefore: BigInt(nowSeconds + 600),
      extensions: new Map([
        ...userExtensions.map((name) => [name, ''] as const),
        ...(options.extensions ?? federatedExtensions(identity)),
      ]),
      nonce: randomBytes(32),
    },
    privateKeyAsRemoteSigner(options.signedBy ?? engineers),
  );
  const certificate = parseCertificate(blob);
  return { kind: 'certificate' as const, certificate, publicKey: certificate.publicKey, blob };
}

function directory(configured: Parameters<typeof createIdentityDirectory>[0] = []) {
  return createIdentityDirectory(configured, [formatPublicKeyLine(others.publicKey)], {
    authorities: [formatPublicKeyLine(engineers.publicKey)],
    groupsOf: (arn) => (arn === roleArn ? ['engineers'] : []),
  });
}

describe('the identity directory with certificates that carry an IAM identity', () => {
  it('takes identity, groups and second factor from the certificate', async () => {
    const claim = directory().claimedBy(await offered(), '192.0.2.1', nowSeconds);

    expect(claim).toMatchObject({
      kind: 'identity',
      identity: {
        name: 'Engineer+alice',
        principalId: 'AROAEXAMPLE:alice',
        groups: ['engineers'],
        iam: { type: 'AssumedRole', arn: roleArn },
      },
      mfa: { method: 'iam', atMs: nowSeconds * 1000 - 5000 },
    });
  });

  it('has no second factor where the certificate says that there was none', async () => {
    const identity = federatedIdentity({ mfa: { verified: false, source: 'none' } });

    const claim = directory().claimedBy(await offered({ identity }), '192.0.2.1', nowSeconds);

    expect(claim).toMatchObject({ kind: 'identity' });
    expect(claim).not.toHaveProperty('mfa');
  });

  it.each([
    ['the name of somebody else', { principals: ['Admin+root'] }],
    ['two names', { principals: ['Engineer+alice', 'Admin+root'] }],
    ['no ARN', { extensions: new Map([['mfa@sshtrail', 'true']]) }],
    [
      'MFA without a source',
      {
        extensions: new Map([
          ...federatedExtensions(federatedIdentity({ mfa: { verified: false, source: 'none' } })),
          ['mfa@sshtrail', 'true'],
        ]),
      },
    ],
  ])('speaks for nobody with %s', async (_name, options) => {
    const claim = directory().claimedBy(await offered(options), '192.0.2.1', nowSeconds);

    expect(claim).toEqual({ kind: 'nobody', why: 'no-federated-identity' });
  });

  it('does not become a configured identity of the same name', async () => {
    const configured = [
      {
        name: 'Engineer+alice',
        principalId: 'x',
        type: 'person' as const,
        groups: ['admins'],
        keys: [],
      },
    ];

    const claim = directory(configured).claimedBy(await offered(), '192.0.2.1', nowSeconds);

    expect(claim).toEqual({ kind: 'nobody', why: 'name-taken' });
  });

  it('does not believe the extensions of any other authority', async () => {
    const claim = directory().claimedBy(await offered({ signedBy: others }), '192.0.2.1', nowSeconds);

    expect(claim).toEqual({ kind: 'nobody', why: 'principal-not-listed' });
  });

  it('refuses it when its time is over', async () => {
    const claim = directory().claimedBy(await offered(), '192.0.2.1', nowSeconds + 3600);

    expect(claim).toEqual({ kind: 'nobody', why: 'expired' });
  });
});
