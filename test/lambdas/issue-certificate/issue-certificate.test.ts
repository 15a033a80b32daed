import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openKmsSigner } from '../../../adapters/aws/index.ts';
import { apiRoutes } from '../../../core/contract/index.ts';
import { parseFederatedExtensions } from '../../../core/federation/index.ts';
import { type IssueParts, issueCertificate } from '../../../lambdas/issue-certificate/issue-certificate.ts';
import {
  formatPublicKeyLine,
  generatePrivateKey,
  parseCertificate,
  parsePublicKeyLine,
  remoteSigner,
  verifyCertificate,
} from '../../../ssh/index.ts';
import { fakeJournal } from '../../core/runbook/fakes.ts';
import { type FakeApiOptions, type FakeCaller, startFakeApi } from '../../fakes/aws/api-gateway.ts';
import { startFakeAws } from '../../fakes/aws/fake-aws.ts';
import { fakeKms } from '../../fakes/aws/kms.ts';
import { clientOptions } from '../../support/aws-endpoints.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { apiEvent, callers, resourcePolicy } from '../api-callers.ts';
import { signedCall } from '../signed-call.ts';

const nowMs = 1_795_169_730_412;
const subject = generatePrivateKey('ed25519').publicKey;
const keyLine = formatPublicKeyLine(subject, 'alice@laptop');
const mfaRoute = apiRoutes.certificateWithMfa;
const plainRoute = apiRoutes.certificate;

type Place = Awaited<ReturnType<typeof openPlace>>;

/** The API, the function behind it, and the authority in KMS. */
async function openPlace(
  options: {
    readonly spec?: 'ECC_NIST_P256' | 'ECC_NIST_EDWARDS25519';
    readonly parts?: Partial<IssueParts>;
    readonly api?: Partial<FakeApiOptions>;
  } = {},
) {
  const aws = await startFakeAws({ services: [fakeKms()] });
  onTestFinished(() => aws.close());
  const kms = new KMSClient(clientOptions(aws.endpoint));
  onTestFinished(() => kms.destroy());
  const { KeyMetadata } = await kms.send(
    new CreateKeyCommand({ KeySpec: options.spec ?? 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
  );
  const authority = remoteSigner(await openKmsSigner({ client: kms, keyId: KeyMetadata?.Arn ?? '' }));
  const journal = fakeJournal();
  const parts: IssueParts = {
    authority: async () => authority,
    journal,
    maxSeconds: 900,
    allowedAccounts: ['123456789012', '111122223333'],
    identityCenterMfaAccounts: ['123456789012'],
    now: () => nowMs,
    randomBytes,
    ...options.parts,
  };
  const handler = (event: APIGatewayProxyEvent) => issueCertificate(event, parts);
  const api = await startFakeApi({
    routes: [plainRoute, mfaRoute].map((path) => ({ method: 'POST', path, handler })),
    resourcePolicy,
    credentials: Object.values(callers),
    sourceIp: '203.0.113.9',
    ...options.api,
  });
  onTestFinished(() => api.close());
  return {
    aws,
    api,
    authority,
    journal,
    handler,
    ask: (body: unknown, caller: FakeCaller = callers.withMfa, route: string = mfaRoute) =>
      signedCall(`${api.url}${route}`, caller, {
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
}

function readBack(line: unknown) {
  const [type, base64 = ''] = String(line).split(' ');
  const certificate = parseCertificate(Buffer.from(base64, 'base64'));
  expect(certificate.type).toBe(type);
  return certificate;
}

function judged(line: unknown, { authority }: Place, sourceAddress = '203.0.113.9', atMs = nowMs) {
  const certificate = readBack(line);
  return verifyCertificate(certificate, {
    kind: 'user',
    authorities: [authority.publicKey],
    principal: certificate.principals[0] ?? '',
    sourceAddress,
    nowSeconds: Math.floor(atMs / 1000),
  });
}

describe.each(['ECC_NIST_P256', 'ECC_NIST_EDWARDS25519'] as const)('an authority of %s', (spec) => {
  it('gives a certificate that says who IAM proved the caller to be', async () => {
    const place = await openPlace({ spec });

    const { status, json } = await place.ask({ publicKey: keyLine });

    expect([status, json]).toMatchObject([
      200,
      {
        principal: 'Engineer+alice',
        validAfter: '2026-11-20T10:15:00.000Z',
        validBefore: '2026-11-20T10:30:30.000Z',
        mfa: true,
        mfaSource: 'iam',
      },
    ]);
    const certificate = readBack(json['certificate']);
    expect(certificate.publicKey.fingerprint).toBe(subject.fingerprint);
    expect(certificate).toMatchObject({
      kind: 'user',
      keyId: callers.withMfa.arn,
      principals: ['Engineer+alice'],
    });
    expect(String(certificate.serial)).toBe(json['serial']);
    expect(judged(json['certificate'], place)).toMatchObject({ ok: true });
    expect(parseFederatedExtensions(certificate.extensions, certificate.principals)).toEqual({
      arn: callers.withMfa.arn,
      accountId: '123456789012',
      principalId: 'AROAEXAMPLE1:alice',
      type: 'AssumedRole',
      name: 'Engineer+alice',
      role: 'Engineer',
      mfa: { verified: true, source: 'iam' },
      provedAtMs: nowMs,
    });
  });

  it('gives one that ssh-keygen reads', async () => {
    const place = await openPlace({ spec });
    const folder = temporaryFolder();
    const file = join(folder, 'id-cert.pub');

    const { json } = await place.ask({ publicKey: keyLine, bindSourceAddress: true });
    writeFileSync(file, `${String(json['certificate'])}\n`);
    const shown = execFileSync('ssh-keygen', ['-L', '-f', file], { encoding: 'utf8' });

    expect(shown).toContain('Type: ssh-ed25519-cert-v01@openssh.com user certificate');
    expect(shown).toContain(`Public key: ED25519-CERT ${subject.fingerprint}`);
    expect(shown).toContain(place.authority.publicKey.fingerprint);
    expect(shown).toContain(`Key ID: "${callers.withMfa.arn}"`);
    expect(shown).toContain(`Serial: ${String(json['serial'])}`);
    expect(shown).toMatch(/Principals: \n\s+Engineer\+alice\n/);
    expect(shown).toContain('source-address 203.0.113.9/32');
    expect(shown).toContain('permit-pty');
    expect(shown).toContain('arn@sshtrail UNKNOWN OPTION');
  });
});

describe('a certificate', () => {
  it.each<[string, FakeCaller, string, boolean, string, string]>([
    ['IAM, where the route asks for it', callers.withMfa, mfaRoute, true, 'iam', 'Engineer+alice'],
    ['nobody, on the other route', callers.withMfa, plainRoute, false, 'none', 'Engineer+alice'],
    ['nobody, of a long-term key', callers.longTermKey, plainRoute, false, 'none', 'carol'],
    [
      "the account's owner, of Identity Center",
      callers.identityCenter,
      plainRoute,
      true,
      'identity-center-asserted',
      'dora@example.com',
    ],
    ['IAM, in another account', callers.otherAccount, mfaRoute, true, 'iam', 'Engineer+eve'],
  ])('has its word on MFA from %s', async (_, caller, route, mfa, mfaSource, principal) => {
    const { ask, journal } = await openPlace();

    const { json } = await ask({ publicKey: keyLine }, caller, route);

    expect(json).toMatchObject({ mfa, mfaSource, principal });
    expect(journal.drafts[0]?.userIdentity).toMatchObject({
      arn: caller.arn,
      sessionContext: { attributes: { mfaAuthenticated: String(mfa) } },
    });
  });

  it('has no word of an account that declared nothing on its Identity Center', async () => {
    const { ask } = await openPlace({ parts: { identityCenterMfaAccounts: ['111122223333'] } });

    const { json } = await ask({ publicKey: keyLine }, callers.identityCenter, plainRoute);

    expect(json).toMatchObject({ mfa: false, mfaSource: 'none' });
  });

  it.each<[string, number | undefined, number]>([
    ['the longest time where none is asked for', undefined, 900],
    ['the time that is asked for', 60, 60],
    ['no more than the longest', 86_400, 900],
  ])('is good for %s', async (_, validForSeconds, seconds) => {
    const { ask } = await openPlace();

    const { json } = await ask({ publicKey: keyLine, validForSeconds });

    expect(Date.parse(String(json['validBefore']))).toBe(Math.floor(nowMs / 1000) * 1000 + seconds * 1000);
  });

  it.each([
    ['203.0.113.9', '203.0.113.10'],
    ['2001:db8::9', '2001:db8::a'],
  ])('is good from %s only, where that is asked for', async (sourceIp, elsewhere) => {
    const place = await openPlace({ api: { sourceIp } });

    const bound = await place.ask({ publicKey: keyLine, bindSourceAddress: true });
    const free = await place.ask({ publicKey: keyLine });

    expect(judged(bound.json['certificate'], place, sourceIp)).toMatchObject({ ok: true });
    expect(judged(bound.json['certificate'], place, elsewhere)).toEqual({
      ok: false,
      refusal: 'source-address-not-allowed',
    });
    expect(judged(free.json['certificate'], place, elsewhere)).toMatchObject({ ok: true });
  });

  it('is made for keys of every kind that is strong enough', async () => {
    const { ask } = await openPlace();
    const folder = temporaryFolder();
    const lines = [
      ['ecdsa', '256'],
      ['ecdsa', '521'],
      ['rsa', '2048'],
      ['rsa', '4096'],
    ].map(([type = '', bits = '']) => {
      const file = join(folder, `${type}${bits}`);
      execFileSync('ssh-keygen', ['-q', '-t', type, '-b', bits, '-N', '', '-f', file]);
      return readFileSync(`${file}.pub`, 'utf8');
    });
    lines.push(securityKeyLine());

    for (const line of lines) {
      const { status, json } = await ask({ publicKey: line });
      expect([line.split(' ')[0], status]).toEqual([line.split(' ')[0], 200]);
      expect(readBack(json['certificate']).publicKey.fingerprint).toBe(
        parsePublicKeyLine(line).publicKey.fingerprint,
      );
    }
  });

  it('is another one each time', async () => {
    const { ask } = await openPlace();

    const [one, other] = await Promise.all([ask({ publicKey: keyLine }), ask({ publicKey: keyLine })]);

    expect(one.json['serial']).not.toBe(other.json['serial']);
  });

  it('is on record before it is given out', async () => {
    const { ask, journal, authority } = await openPlace();

    const { json } = await ask({ publicKey: keyLine, bindSourceAddress: true });

    expect(journal.drafts).toHaveLength(1);
    expect(journal.drafts[0]).toMatchObject({
      eventName: 'IssueCertificate',
      eventTimeMs: nowMs,
      sourceIPAddress: '203.0.113.9',
      userIdentity: {
        type: 'AssumedRole',
        principalId: 'AROAEXAMPLE1:alice',
        userName: 'Engineer+alice',
        accountId: '123456789012',
      },
      requestParameters: {
        principals: 'Engineer+alice',
        keyFingerprint: subject.fingerprint,
        sourceAddress: '203.0.113.9/32',
      },
      responseElements: {
        keyId: callers.withMfa.arn,
        serial: json['serial'],
        validTo: json['validBefore'],
        authorityFingerprint: authority.publicKey.fingerprint,
      },
      additionalEventData: { mfaAuthenticated: 'true', mfaMethod: 'iam' },
    });
  });

  it('is not given out where it cannot be put on record', async () => {
    const { ask, journal, api } = await openPlace();
    journal.failure = new Error('the bucket is gone');

    const answer = await ask({ publicKey: keyLine });

    expect(answer.status).toBe(502);
    expect(answer.text).not.toContain('cert-v01');
    expect(api.faults).toEqual([journal.failure]);
  });

  it('is not made where KMS does not sign, and nothing says that it was', async () => {
    const { ask, aws, journal } = await openPlace();
    aws.inject((request) =>
      request.operation === 'Sign'
        ? {
            kind: 'answer',
            status: 400,
            headers: { 'x-amzn-errortype': 'AccessDeniedException' },
            body: '{"__type":"AccessDeniedException","message":"no"}',
          }
        : undefined,
    );

    const answer = await ask({ publicKey: keyLine });

    expect(answer.status).toBe(502);
    expect(journal.drafts).toEqual([]);
  });

  it('comes with headers that keep it out of caches', async () => {
    const { ask } = await openPlace();

    const { headers } = await ask({ publicKey: keyLine });

    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
  });
});

describe('a request', () => {
  it.each<[string, unknown, RegExp]>([
    ['that is no JSON', 'ssh-ed25519 AAAA', /no JSON/],
    ['that is empty', '', /no JSON/],
    ['that is a list', [], /an object/],
    ['with other fields', { publicKey: keyLine, principals: ['root'] }, /nothing else/],
    ['with a prototype', '{"publicKey": "x", "__proto__": {"admin": true}}', /nothing else/],
    ['without a key', {}, /publicKey is missing/],
    ['with a key that is no text', { publicKey: { $ne: '' } }, /publicKey is missing/],
    ['with an empty key', { publicKey: '' }, /not the line/],
    ['with options before the key', { publicKey: `command="sh" ${keyLine}` }, /not the line/],
    ['with a marker before the key', { publicKey: `@cert-authority * ${keyLine}` }, /not the line/],
    ['with two keys', { publicKey: `${keyLine}\n${keyLine}` }, /more than one line/],
    ['with a carriage return in the key', { publicKey: `${keyLine}\rx` }, /more than one line/],
    ['with a NUL in the key', { publicKey: `${keyLine}\0` }, /more than one line/],
    ['with an escape in the comment', { publicKey: `${keyLine}\u001b[2J` }, /not the line/],
    [
      'with a type that is not the key',
      { publicKey: keyLine.replace('ssh-ed25519', 'ssh-rsa') },
      /not the line/,
    ],
    [
      'with a key that is cut off',
      { publicKey: keyLine.split(' ').slice(0, 2).join(' ').slice(0, -8) },
      /not the line/,
    ],
    [
      'with a key of a kind that is too old',
      { publicKey: 'ssh-dss AAAAB3NzaC1kc3M=' },
      /gets no certificate/,
    ],
    ['with a lifetime below nothing', { publicKey: keyLine, validForSeconds: -1 }, /validForSeconds/],
    ['with a lifetime of nothing', { publicKey: keyLine, validForSeconds: 0 }, /validForSeconds/],
    ['with a broken lifetime', { publicKey: keyLine, validForSeconds: 90.5 }, /validForSeconds/],
    ['with a huge lifetime', { publicKey: keyLine, validForSeconds: 1e300 }, /validForSeconds/],
    ['with a lifetime of text', { publicKey: keyLine, validForSeconds: '900' }, /validForSeconds/],
    [
      'with a lifetime that is no number',
      `{"publicKey": ${JSON.stringify(keyLine)}, "validForSeconds": NaN}`,
      /no JSON/,
    ],
    ['with a lifetime of null', { publicKey: keyLine, validForSeconds: null }, /validForSeconds/],
    [
      'with an address of its own',
      { publicKey: keyLine, bindSourceAddress: '0.0.0.0/0' },
      /bindSourceAddress/,
    ],
    ['that is too long', { publicKey: `${keyLine}${' '.repeat(20_480)}` }, /over 20480 bytes/],
  ])('%s is refused, and that is on record', async (_, body, message) => {
    const { ask, journal, aws } = await openPlace();
    const before = aws.calls.length;

    const { status, json } = await ask(body);

    expect([status, json]).toEqual([
      400,
      { error: { code: 'bad-request', message: expect.stringMatching(message) } },
    ]);
    expect(aws.calls.slice(before)).toEqual([]);
    expect(journal.drafts).toMatchObject([
      {
        eventName: 'IssueCertificate',
        errorCode: 'ProtocolError',
        userIdentity: { userName: 'Engineer+alice' },
        additionalEventData: { denyReason: 'bad-request' },
      },
    ]);
    expect(journal.drafts[0]?.responseElements).toEqual({});
  });

  it('with an RSA key that is too short is refused', async () => {
    const { ask } = await openPlace();

    const { status, text } = await ask({ publicKey: rsaLine(Buffer.from([1, 0, 1]), rsaModulus(1024)) });

    expect(status).toBe(400);
    expect(text).toContain('2048 bits');
  });

  it('with a certificate in place of a key is refused', async () => {
    const { ask } = await openPlace();
    const { json } = await ask({ publicKey: keyLine });

    const { status, text } = await ask({ publicKey: json['certificate'] });

    expect(status).toBe(400);
    expect(text).toContain('or is one');
  });

  it('with a private key is refused, and nothing of it is kept or said', async () => {
    const { ask, journal } = await openPlace();
    const file = join(temporaryFolder(), 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
    const secret = readFileSync(file, 'utf8');
    const [, line = ''] = secret.split('\n');

    const answers = [
      await ask({ publicKey: secret }),
      await ask({ publicKey: line }),
      await ask({ [secret]: '' }),
      await ask(secret),
    ];

    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400]);
    expect(answers[0]?.text).toContain('this is a private key');
    const said = `${answers.map(({ text }) => text).join()}${JSON.stringify(journal.drafts)}`;
    expect(said).not.toContain(line.slice(0, 16));
  });

  it('of the largest key there is fits what KMS signs over', async () => {
    const { ask } = await openPlace({ spec: 'ECC_NIST_EDWARDS25519' });
    const modulus = Buffer.concat(Array.from({ length: 8 }, () => rsaModulus(2048)));
    const longName: FakeCaller = {
      ...callers.longTermKey,
      arn: `arn:aws:iam::123456789012:user/${'p'.repeat(510)}/${'n'.repeat(64)}`,
    };
    const place = await openPlace({ spec: 'ECC_NIST_EDWARDS25519', api: { credentials: [longName] } });
    const line = rsaLine(Buffer.from([1, 0, 1]), modulus);

    const answers = [
      await ask({ publicKey: line }),
      await place.ask({ publicKey: line }, longName, plainRoute),
    ];

    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  });

  it('whatever it is gets a certificate or a refusal', async () => {
    const { handler, journal } = await openPlace();
    const event = eventOf({});

    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.jsonValue().map((value) => JSON.stringify(value)),
        ),
        fc.boolean(),
        async (body, isBase64Encoded) => {
          const { statusCode } = await handler({ ...event, body, isBase64Encoded });
          expect(statusCode).toBe(400);
        },
      ),
      { numRuns: 50 },
    );
    expect(journal.drafts.every(({ errorCode }) => errorCode === 'ProtocolError')).toBe(true);
  });
});

describe('a caller', () => {
  it.each<[string, Partial<APIGatewayProxyEvent['requestContext']['identity']>, RegExp]>([
    ['whom nobody proved', { userArn: null, caller: null, accountId: null }, /not the ARN/],
    [
      'who is the root of an account',
      { userArn: 'arn:aws:iam::123456789012:root', caller: '123456789012' },
      /not the ARN/,
    ],
    [
      'with a wildcard for a name',
      { userArn: 'arn:aws:sts::123456789012:assumed-role/Engineer/*', caller: 'AROAEXAMPLE1:*' },
      /not the ARN/,
    ],
    [
      'with a line feed in the name',
      { userArn: 'arn:aws:sts::123456789012:assumed-role/Engineer/a\nroot', caller: 'AROAEXAMPLE1:a\nroot' },
      /not the ARN/,
    ],
    [
      'with a NUL in the name',
      { userArn: 'arn:aws:sts::123456789012:assumed-role/Engineer/a\0', caller: 'AROAEXAMPLE1:a\0' },
      /not the ARN/,
    ],
    [
      'with a slash in the name',
      { userArn: 'arn:aws:sts::123456789012:assumed-role/Engineer/a/b', caller: 'AROAEXAMPLE1:a/b' },
      /session name/,
    ],
    ['whose ids do not belong together', { caller: 'AROAEXAMPLE1:root' }, /principal id/],
    ['whose accounts do not belong together', { accountId: '111122223333' }, /account/],
  ])('%s gets nothing, and that is on record', async (_, changes, message) => {
    const { handler, journal, aws } = await openPlace();
    const before = aws.calls.length;

    const { statusCode, body } = await handler(eventOf(changes));

    expect(statusCode).toBe(403);
    expect(JSON.parse(body)).toEqual({
      error: { code: 'unusable-identity', message: expect.stringMatching(message) },
    });
    expect(aws.calls.slice(before)).toEqual([]);
    expect(journal.drafts).toMatchObject([
      {
        eventName: 'IssueCertificate',
        errorCode: 'AccessDenied',
        userIdentity: { type: 'Unknown', principalId: expect.stringMatching(/^unknown:/) },
        additionalEventData: { denyReason: 'unusable-identity' },
      },
    ]);
  });

  it('of an account that may not ask gets nothing, and that is on record', async () => {
    const { ask, journal } = await openPlace({ parts: { allowedAccounts: ['123456789012'] } });

    const { status, json } = await ask({ publicKey: keyLine }, callers.otherAccount);

    expect([status, json]).toMatchObject([403, { error: { code: 'account-not-allowed' } }]);
    expect(journal.drafts).toMatchObject([
      {
        errorCode: 'AccessDenied',
        userIdentity: { type: 'AssumedRole', arn: callers.otherAccount.arn },
        additionalEventData: { denyReason: 'account-not-allowed' },
      },
    ]);
  });

  it('who tries the route in the console gets nothing: that passes by the policy that asks for MFA', async () => {
    const { handler, journal } = await openPlace();
    const event = eventOf({ sourceIp: 'test-invoke-source-ip' });
    const staged = { ...event.requestContext, stage: 'test-invoke-stage' };

    const byAddress = await handler(event);
    const byStage = await handler({ ...eventOf({}), requestContext: staged });

    expect([byAddress.statusCode, byStage.statusCode]).toEqual([403, 403]);
    expect(journal.drafts.map(({ additionalEventData }) => additionalEventData['denyReason'])).toEqual([
      'test-call',
      'test-call',
    ]);
    expect(journal.drafts[0]?.sourceIPAddress).toBeUndefined();
  });

  it('cannot write into the events by a user agent', async () => {
    const { handler, journal } = await openPlace();
    const userAgent = `x"}\n{"eventName":"EndSession"\u001b[2J${'a'.repeat(5000)}`;

    await handler(eventOf({ userAgent }));

    expect(journal.drafts).toHaveLength(1);
    expect(journal.drafts[0]?.userAgent?.length).toBeLessThanOrEqual(1024);
    expect(JSON.stringify(journal.drafts[0])).not.toContain('\n');
  });

  it('by another route or method is told so', async () => {
    const { handler } = await openPlace();

    const other = await handler({ ...eventOf({}), resource: '/v1/other' });
    const get = await handler({ ...eventOf({}), httpMethod: 'GET' });

    expect([other.statusCode, get.statusCode, get.headers?.['allow']]).toEqual([404, 405, 'POST']);
  });
});

/** A request on the route for MFA. */
function eventOf(
  identity: Partial<APIGatewayProxyEvent['requestContext']['identity']>,
): APIGatewayProxyEvent {
  const body = JSON.stringify({ publicKey: keyLine });
  return apiEvent({ resource: mfaRoute, pathParameters: null, body }, identity);
}

function wire(...fields: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(
    fields.flatMap((field) => {
      const bytes = Buffer.from(field);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** A number that is not negative. */
function mpint(bytes: Buffer): Buffer {
  return (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.from([0]), bytes]);
}

function rsaLine(e: Buffer, n: Buffer): string {
  return `ssh-rsa ${wire('ssh-rsa', mpint(e), mpint(n)).toString('base64')}`;
}

function rsaModulus(bits: number): Buffer {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  return Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url');
}

function securityKeyLine(): string {
  const { publicKey } = generateKeyPairSync('ed25519');
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const type = 'sk-ssh-ed25519@openssh.com';
  return `${type} ${wire(type, raw, 'ssh:').toString('base64')} token`;
}
