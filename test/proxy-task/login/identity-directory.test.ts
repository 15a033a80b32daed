import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type FederatedIdentity,
  federatedExtensions,
  identityFromArn,
  issuedProofExtensions,
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

describe('the identity directory with services', () => {
  const serviceKey = generatePrivateKey('ed25519');
  const services = directory([
    {
      name: 'deployer',
      principalId: 'deployer',
      type: 'service',
      groups: [],
      keys: [formatPublicKeyLine(serviceKey.publicKey)],
      sources: ['192.0.2.0/28', '2001:db8::/32'],
    },
  ]);
  const key = { kind: 'key' as const, publicKey: serviceKey.publicKey };

  it.each([
    ['192.0.2.1', true],
    ['2001:db8::7', true],
    ['192.0.2.16', false],
    ['198.51.100.1', false],
    ['2001:db9::1', false],
    ['', false],
    ['not an address', false],
  ])('know the key that signs from %j: allowed is %j', (address, sourceAllowed) => {
    expect(services.claimedBy(key, address, nowSeconds)).toMatchObject({
      kind: 'identity',
      identity: { name: 'deployer' },
      sourceAllowed,
    });
  });

  it('do not take a certificate in the place of a registered key', async () => {
    const certificate = await offered({ principals: ['deployer'], extensions: new Map(), signedBy: others });

    expect(services.claimedBy(certificate, '192.0.2.1', nowSeconds)).toEqual({
      kind: 'nobody',
      why: 'service-without-its-key',
    });
  });
});

describe('the identity directory with certificates of our own authority', () => {
  const own = generatePrivateKey('ed25519');
  const alice = { name: 'alice', principalId: 'alice', type: 'person' as const, groups: [], keys: [] };
  const ours = createIdentityDirectory([alice], [formatPublicKeyLine(others.publicKey)], undefined, [
    formatPublicKeyLine(own.publicKey),
  ]);
  const proof = { method: 'totp', atMs: nowSeconds * 1000 - 60_000 } as const;
  const certified = (signedBy: typeof own, extensions: ReadonlyMap<string, string>) =>
    offered({ principals: ['alice'], signedBy, extensions });

  it('believe what they say of a second factor', async () => {
    const certificate = await certified(own, issuedProofExtensions(proof));

    expect(ours.claimedBy(certificate, '192.0.2.1', nowSeconds)).toMatchObject({
      kind: 'identity',
      identity: { name: 'alice' },
      mfa: proof,
    });
  });

  it('do not believe it of another authority', async () => {
    const claim = ours.claimedBy(
      await certified(others, issuedProofExtensions(proof)),
      '192.0.2.1',
      nowSeconds,
    );

    expect(claim).toMatchObject({ kind: 'identity', identity: { name: 'alice' } });
    expect(claim).not.toHaveProperty('mfa');
  });

  it('take one for nobody’s that says half of it', async () => {
    const certificate = await certified(own, new Map([['mfa-method@sshtrail', 'totp']]));

    expect(ours.claimedBy(certificate, '192.0.2.1', nowSeconds)).toEqual({
      kind: 'nobody',
      why: 'unreadable-proof',
    });
  });
});
