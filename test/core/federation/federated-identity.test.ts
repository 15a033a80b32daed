import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type FederatedIdentity,
  federatedExtensions,
  identityFromArn,
  parseFederatedExtensions,
} from '../../../core/federation/index.ts';

const account = '123456789012';
const person = `arn:aws:sts::${account}:assumed-role/AWSReservedSSO_Engineer_0123456789abcdef/alice@example.com`;

function callerOf(arn: string, principalId: string) {
  const read = identityFromArn(arn, principalId);
  if (!read.ok) throw new Error(read.message);
  return read.caller;
}

const session = (role: string, name: string) =>
  identityFromArn(`arn:aws:sts::${account}:assumed-role/${role}/${name}`, `AROAEXAMPLE:${name}`);

describe('the identity behind an ARN', () => {
  it.each([
    ['a user', `arn:aws:iam::${account}:user/alice`, 'AIDAEXAMPLE', 'IAMUser', 'alice', 'alice'],
    ['a user in a path', `arn:aws:iam::${account}:user/ops/eu/bob`, 'AIDAEXAMPLE', 'IAMUser', 'bob', 'bob'],
    [
      "a role's session",
      `arn:aws:sts::${account}:assumed-role/Engineer/alice`,
      'AROAEXAMPLE:alice',
      'AssumedRole',
      'Engineer+alice',
      'Engineer',
    ],
    [
      'a person of Identity Center',
      person,
      'AROAEXAMPLE:alice@example.com',
      'IdentityCenterUser',
      'alice@example.com',
      'AWSReservedSSO_Engineer_0123456789abcdef',
    ],
    [
      'another partition',
      `arn:aws-us-gov:iam::${account}:user/alice`,
      'AIDAEXAMPLE',
      'IAMUser',
      'alice',
      'alice',
    ],
    [
      'names of full length',
      `arn:aws:sts::${account}:assumed-role/${'r'.repeat(64)}/${'s'.repeat(64)}`,
      `AROAEXAMPLE:${'s'.repeat(64)}`,
      'AssumedRole',
      `${'r'.repeat(64)}+${'s'.repeat(64)}`,
      'r'.repeat(64),
    ],
  ])('is known of %s', (_, arn, principalId, type, name, role) => {
    expect(identityFromArn(arn, principalId)).toEqual({
      ok: true,
      caller: { arn, accountId: account, principalId, type, name, role },
    });
  });

  it.each([
    ['nothing', '', ''],
    ['the root of an account', `arn:aws:iam::${account}:root`, account],
    ['a role without a session', `arn:aws:iam::${account}:role/Engineer`, 'AROAEXAMPLE'],
    ['a federated user', `arn:aws:sts::${account}:federated-user/alice`, `${account}:alice`],
    ['a user of STS', `arn:aws:sts::${account}:user/alice`, 'AIDAEXAMPLE'],
    ['an assumed role of IAM', `arn:aws:iam::${account}:assumed-role/Engineer/alice`, 'AROAEXAMPLE:alice'],
    ['a short account', 'arn:aws:iam::12345678901:user/alice', 'AIDAEXAMPLE'],
    ['text before', ` arn:aws:iam::${account}:user/alice`, 'AIDAEXAMPLE'],
    ['a line feed behind', `arn:aws:iam::${account}:user/alice\n`, 'AIDAEXAMPLE'],
    ['a NUL', `arn:aws:iam::${account}:user/al\0ice`, 'AIDAEXAMPLE'],
    ['a wildcard', `arn:aws:sts::${account}:assumed-role/Engineer/*`, 'AROAEXAMPLE:*'],
    [
      'a session with a slash',
      `arn:aws:sts::${account}:assumed-role/Engineer/alice/root`,
      'AROAEXAMPLE:alice/root',
    ],
    ['a name that begins with a dash', `arn:aws:iam::${account}:user/-oProxyCommand`, 'AIDAEXAMPLE'],
    ['a name with a comma', `arn:aws:iam::${account}:user/alice,root`, 'AIDAEXAMPLE'],
    ['no name', `arn:aws:iam::${account}:user/`, 'AIDAEXAMPLE'],
    [
      "the id of another role's session",
      `arn:aws:sts::${account}:assumed-role/Engineer/alice`,
      'AROAEXAMPLE:bob',
    ],
    ["a user with a role's id", `arn:aws:iam::${account}:user/alice`, 'AROAEXAMPLE:alice'],
    ["a role with a user's id", `arn:aws:sts::${account}:assumed-role/Engineer/alice`, 'AIDAEXAMPLE'],
    ['an id with more behind it', `arn:aws:iam::${account}:user/alice`, 'AIDAEXAMPLE\n'],
  ])('is not made of %s', (_, arn, principalId) => {
    const read = identityFromArn(arn, principalId);

    expect(read.ok).toBe(false);
    expect('message' in read && /^[\x20-\x7e]+$/.test(read.message)).toBe(true);
  });

  it("is not another's because somebody chose the session's name", () => {
    // Who may assume role `a` would be the session `c` of role `a+b`, or the user `a+alice`.
    expect(session('a', 'b+c').ok).toBe(true);
    expect(session('a+b', 'c').ok).toBe(false);
    expect(identityFromArn(`arn:aws:iam::${account}:user/a+alice`, 'AIDAEXAMPLE').ok).toBe(false);
    expect(session('AWSReservedSSO_Engineer_0123456789abcdef', 'a+alice').ok).toBe(false);
  });

  it('has a name that tells sessions of roles apart', () => {
    const name = fc.stringMatching(/^[\w+=,.@-]{2,64}$/);

    fc.assert(
      fc.property(name, name, name, name, (role, one, otherRole, other) => {
        const first = session(role, one);
        const second = session(otherRole, other);
        if (!first.ok || !second.ok || role === otherRole || role.startsWith('AWSReservedSSO_')) return;
        expect(first.caller.name).not.toBe(second.caller.name);
      }),
    );
  });

  it('is judged whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (arn, principalId) => {
        expect(identityFromArn(arn, principalId).ok).toBe(false);
      }),
    );
  });
});

describe('the extensions of a certificate', () => {
  const identity: FederatedIdentity = {
    ...callerOf(person, 'AROAEXAMPLE:alice@example.com'),
    mfa: { verified: true, source: 'identity-center-asserted' },
    provedAtMs: 1_795_169_730_412,
  };
  const changed = (changes: Readonly<Record<string, string | undefined>>) => {
    const extensions = new Map(federatedExtensions(identity));
    for (const [name, value] of Object.entries(changes))
      if (value === undefined) extensions.delete(name);
      else extensions.set(name, value);
    return parseFederatedExtensions(extensions, [identity.name]);
  };

  it('are read as they were written', () => {
    const extensions = new Map([['permit-pty', ''], ...federatedExtensions(identity)]);

    expect(parseFederatedExtensions(extensions, [identity.name])).toEqual(identity);
  });

  it.each([
    ['without an ARN', { 'arn@sshtrail': undefined }],
    ["with another person's ARN", { 'arn@sshtrail': person.replace('alice', 'bob') }],
    ["with another person's id", { 'principal-id@sshtrail': 'AROAEXAMPLE:bob@example.com' }],
    ['without a word on MFA', { 'mfa@sshtrail': undefined }],
    ['that contradict themselves on MFA', { 'mfa@sshtrail': 'false' }],
    ['that claim MFA from nowhere', { 'mfa-source@sshtrail': 'none' }],
    ['with a source of MFA that is not known', { 'mfa-source@sshtrail': 'fax' }],
    ['without a time', { 'proved-at@sshtrail': undefined }],
    ['with a time that is none', { 'proved-at@sshtrail': '-1' }],
    ['with a time no number holds', { 'proved-at@sshtrail': '9'.repeat(16) }],
  ])('say nothing %s', (_, changes) => {
    expect(changed(changes)).toBeUndefined();
  });

  it('say nothing of somebody else than the one principal', () => {
    const extensions = federatedExtensions(identity);

    expect(parseFederatedExtensions(extensions, [])).toBeUndefined();
    expect(parseFederatedExtensions(extensions, ['bob@example.com'])).toBeUndefined();
    expect(parseFederatedExtensions(extensions, [identity.name, 'root'])).toBeUndefined();
  });

  it("do not let an account's word on Identity Center stand for a user of IAM", () => {
    const user = callerOf(`arn:aws:iam::${account}:user/alice`, 'AIDAEXAMPLE');
    const extensions = federatedExtensions({ ...identity, ...user });

    expect(parseFederatedExtensions(extensions, ['alice'])).toBeUndefined();
  });

  it('are judged whatever they hold', () => {
    const entries = fc.dictionary(
      fc.constantFrom(...federatedExtensions(identity).keys()),
      fc.string({ unit: 'binary' }),
    );

    fc.assert(
      fc.property(entries, fc.string(), (given, principal) => {
        expect(parseFederatedExtensions(new Map(Object.entries(given)), [principal])).toBeUndefined();
      }),
    );
  });
});
