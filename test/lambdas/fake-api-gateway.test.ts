import { describe, expect, it, onTestFinished } from 'vitest';
import { type FakeApiOptions, type FakeCaller, startFakeApi } from '../fakes/aws/api-gateway.ts';
import { callers, resourcePolicy } from './api-callers.ts';
import { type CallOptions, signedCall } from './signed-call.ts';

async function open(options: Partial<FakeApiOptions> = {}) {
  const seen: unknown[] = [];
  const handler: FakeApiOptions['routes'][number]['handler'] = async (event) => {
    seen.push(event);
    return { statusCode: 200, body: JSON.stringify({ caller: event.requestContext.identity.userArn }) };
  };
  const api = await startFakeApi({
    routes: [
      { method: 'POST', path: '/v1/certificates', handler },
      { method: 'POST', path: '/v1/certificates/mfa', handler },
      { method: 'POST', path: '/v1/sessions/{sessionId}/revoke', handler },
      { method: 'GET', path: '/v1/sessions', handler },
    ],
    resourcePolicy,
    credentials: Object.values(callers),
    ...options,
  });
  onTestFinished(() => api.close());
  const call = (path: string, caller: FakeCaller, more: CallOptions = {}) =>
    signedCall(`${api.url}${path}`, caller, { body: '{}', ...more });
  return { api, seen, call };
}

describe('the fake of API Gateway', () => {
  it('takes calls that the SDK has signed, whatever is in the path, the query and the body', async () => {
    const { call, seen } = await open();

    const answers = [
      await call('/v1/certificates', callers.withMfa, { body: '{"text": "é ~ +"}' }),
      await call('/v1/sessions?b=2&a=1%2F%20%2B&a=0', callers.withoutMfa, { method: 'GET', body: undefined }),
      await call('/v1/sessions/s%201%2F..%2Fx%27()*!/revoke', callers.longTermKey),
    ];

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(seen).toMatchObject([
      {
        resource: '/v1/certificates',
        path: '/v1/certificates',
        httpMethod: 'POST',
        body: '{"text": "é ~ +"}',
        requestContext: {
          path: '/live/v1/certificates',
          stage: 'live',
          identity: {
            userArn: callers.withMfa.arn,
            caller: callers.withMfa.principalId,
            accountId: '123456789012',
            sourceIp: '127.0.0.1',
          },
        },
      },
      {
        queryStringParameters: { a: '0', b: '2' },
        multiValueQueryStringParameters: { b: ['2'] },
        body: null,
      },
      {
        resource: '/v1/sessions/{sessionId}/revoke',
        pathParameters: { sessionId: "s 1/../x'()*!" },
      },
    ]);
  });

  it.each<[string, CallOptions, string]>([
    ['of another service', { service: 's3' }, 'does not match'],
    ['of another region', { region: 'us-east-1' }, 'does not match'],
    ['over another body', { sentBody: '{"more": 1}' }, 'does not match'],
    ['of an hour ago', { signedAtMs: Date.now() - 3_600_000 }, 'expired'],
  ])('refuses a signature %s', async (_, options, message) => {
    const { call, seen } = await open();

    const answer = await call('/v1/certificates', callers.withMfa, options);

    expect(answer.status).toBe(403);
    expect(answer.json['message']).toContain(message);
    expect(seen).toEqual([]);
  });

  it('refuses whoever has not the secret, the token or the key', async () => {
    const { api, call, seen } = await open();
    const { sessionToken: _, ...noToken } = callers.withMfa;

    const answers = [
      await call('/v1/certificates', { ...callers.withMfa, secretAccessKey: 'guess' }),
      await call('/v1/certificates', noToken),
      await call('/v1/certificates', { ...callers.withMfa, accessKeyId: 'AKIANOBODY' }),
    ];
    const unsigned = await fetch(`${api.url}/v1/certificates`, { method: 'POST', body: '{}' });

    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403]);
    expect(unsigned.status).toBe(403);
    expect(await unsigned.json()).toEqual({ message: 'Missing Authentication Token' });
    expect(seen).toEqual([]);
  });

  it.each<[string, FakeCaller, string, boolean]>([
    ['a session with MFA, on the route for it', callers.withMfa, '/v1/certificates/mfa', true],
    ['a session without MFA, on the route for it', callers.withoutMfa, '/v1/certificates/mfa', false],
    ['a long-term key, which has no MFA to speak of', callers.longTermKey, '/v1/certificates/mfa', false],
    ['Identity Center, of which IAM knows no MFA', callers.identityCenter, '/v1/certificates/mfa', false],
    ['a session without MFA, on the other route', callers.withoutMfa, '/v1/certificates', true],
    ['a long-term key, on the other route', callers.longTermKey, '/v1/certificates', true],
    ['an account that was let in', callers.otherAccount, '/v1/certificates', true],
  ])('judges %s', async (_, caller, path, isLetIn) => {
    const { call } = await open();

    const answer = await call(path, caller);

    expect(answer.status).toBe(isLetIn ? 200 : 403);
    if (!isLetIn) expect(answer.json['Message']).toContain(`${caller.arn} is not authorized to perform`);
  });

  it('refuses an account that nobody let in', async () => {
    const { call } = await open({ resourcePolicy: resourcePolicy.slice(1) });

    expect((await call('/v1/certificates', callers.otherAccount)).status).toBe(403);
    expect((await call('/v1/certificates', callers.withMfa)).status).toBe(200);
  });

  it("asks the caller's own policies, too", async () => {
    const none = (caller: FakeCaller): FakeCaller => ({ ...caller, identityPolicyAllows: false });
    const { call } = await open({ credentials: Object.values(callers).map(none), resourcePolicy: [] });

    expect((await call('/v1/certificates', callers.withMfa)).status).toBe(403);
  });

  it('knows conditions on addresses and texts', async () => {
    const only = (Condition: object) =>
      open({
        sourceIp: '203.0.113.9',
        resourcePolicy: [
          {
            Effect: 'Deny',
            Principal: '*',
            Action: 'execute-api:*',
            Resource: 'execute-api:/live/*',
            Condition,
          },
        ],
      });
    const status = async (condition: object) =>
      (await (await only(condition)).call('/v1/certificates', callers.withMfa)).status;

    expect(await status({ IpAddress: { 'aws:SourceIp': ['203.0.113.0/24'] } })).toBe(403);
    expect(await status({ NotIpAddress: { 'aws:SourceIp': ['203.0.113.0/24', '2001:db8::/32'] } })).toBe(200);
    expect(await status({ StringEquals: { 'aws:PrincipalAccount': '123456789012' } })).toBe(403);
    expect(await status({ Bool: { 'aws:MultiFactorAuthPresent': 'false' } })).toBe(200);
    expect(await status({ DateGreaterThan: { 'aws:CurrentTime': '2026-01-01' } })).toBe(502);
  });

  it('has no route but its own', async () => {
    const { call } = await open();

    expect((await call('/v1/other', callers.withMfa)).json).toEqual({
      message: 'Missing Authentication Token',
    });
    expect((await call('/v1/sessions', callers.withMfa)).status).toBe(403);
  });

  it('answers for a function that throws, or answers in another form', async () => {
    const handlers: FakeApiOptions['routes'][number]['handler'][] = [
      async () => {
        throw new Error('at secret.ts:1');
      },
      async () => JSON.parse('{"statusCode": "ok"}'),
    ];
    for (const handler of handlers) {
      const { call, api } = await open({ routes: [{ method: 'POST', path: '/v1/certificates', handler }] });

      const answer = await call('/v1/certificates', callers.withMfa);

      expect([answer.status, answer.json]).toEqual([502, { message: 'Internal server error' }]);
      expect(api.faults).toHaveLength(1);
    }
  });
});
