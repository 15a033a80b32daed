import type { APIGatewayProxyEvent } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { apiRoutes, type LiveSession, type LockSelector } from '../../../core/contract/index.ts';
import { loadPolicy } from '../../../core/policy/index.ts';
import type { AccessRules } from '../../../lambdas/control-api/access-rules.ts';
import { controlApi } from '../../../lambdas/control-api/control-api.ts';
import { fakeJournal, fakeNotifier, memoryControlStore } from '../../core/runbook/fakes.ts';
import { type FakeCaller, startFakeApi } from '../../fakes/aws/api-gateway.ts';
import { apiEvent, callers, resourcePolicy } from '../api-callers.ts';
import { signedCall } from '../signed-call.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const one = `s-${'1'.repeat(32)}`;
const two = `s-${'2'.repeat(32)}`;
const permits = `@id("lead") permit (principal in Group::"leads", action == Action::"revoke", resource);
@id("desk") permit (principal in Group::"desk", action == Action::"revoke", resource in HostGroup::"env=staging") when { context.login != "root" };
@id("proved") @advice("log in to AWS with MFA")
forbid (principal, action == Action::"revoke", resource in HostGroup::"env=prod") unless { context.mfa && context.mfaMethod == "iam" && context.mfaAgeSeconds < 60 };`;
const groups = new Map([
  [callers.withMfa.arn, ['leads']],
  [callers.longTermKey.arn, ['leads']],
  [callers.identityCenter.arn, ['leads']],
  [callers.withoutMfa.arn, ['desk']],
]);

function rulesOf(text: string): AccessRules {
  const loaded = loadPolicy([{ file: 'policy.cedar', text }]);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const target = { host: '192.0.2.17', port: 22, hostTrust: { kind: 'pinned' as const, keys: [] } };
  return {
    policy: loaded.policy,
    targets: [
      { ...target, name: 'web-1', labels: { env: 'staging' } },
      { ...target, name: 'db-1', labels: { env: 'prod' } },
    ],
    access: { waitSeconds: 300, requestSeconds: 3600, grantSeconds: 3600, maxGrantSeconds: 7200 },
    groupsOf: (arn) => groups.get(arn) ?? [],
    redact: (text) => text.replaceAll('hunter2', '[hidden]'),
  };
}

function sessionOf(sessionId: string, changes: Partial<LiveSession> = {}): LiveSession {
  return {
    sessionId,
    identity: 'Engineer+bob',
    principalId: 'AROAEXAMPLE1:bob',
    login: 'ec2-user',
    target: 'web-1',
    sourceIp: '203.0.113.9',
    userAgent: 'SSH-2.0-OpenSSH_9.9',
    mfa: true,
    mfaMethod: 'iam',
    startedAtMs: nowMs - 60_000,
    proxyId: 'p-1',
    state: 'open',
    ...changes,
  };
}

/** The API over a control store with these sessions; `whileWaiting` is what gateways do meanwhile. */
async function openPlace(sessions: readonly LiveSession[]) {
  const clock = { nowMs };
  const control = memoryControlStore(clock);
  for (const session of sessions) await control.put('session', session.sessionId, session, { kind: 'any' });
  const state = {
    whileWaiting: async () => undefined as unknown,
    rules: rulesOf(permits),
    identityCenterMfaAccounts: [] as readonly string[],
  };
  const journal = fakeJournal();
  const handler = (event: APIGatewayProxyEvent) =>
    controlApi(event, {
      control,
      journal,
      notifier: fakeNotifier(),
      rules: async () => state.rules,
      identityCenterMfaAccounts: state.identityCenterMfaAccounts,
      now: () => clock.nowMs,
      randomBytes: (size) => Buffer.alloc(size, 0xab),
      sleep: async (ms) => {
        clock.nowMs += ms;
        await state.whileWaiting();
      },
    });
  const api = await startFakeApi({
    routes: [
      { method: 'GET', path: apiRoutes.sessions, handler },
      { method: 'POST', path: apiRoutes.revokeSession, handler },
      { method: 'GET', path: apiRoutes.locks, handler },
      { method: 'POST', path: apiRoutes.locks, handler },
      { method: 'DELETE', path: apiRoutes.lock, handler },
      { method: 'POST', path: apiRoutes.revokeSessionWithMfa, handler },
      { method: 'POST', path: apiRoutes.locksWithMfa, handler },
      { method: 'DELETE', path: apiRoutes.lockWithMfa, handler },
    ],
    resourcePolicy,
    credentials: Object.values(callers),
  });
  onTestFinished(() => api.close());
  return {
    clock,
    control,
    state,
    handler,
    journal,
    locks: () => signedCall(`${api.url}/v1/locks`, callers.withMfa, { method: 'GET' }),
    lock: (body: unknown, caller: FakeCaller = callers.withMfa, routes = '/v1') =>
      signedCall(`${api.url}${routes}/locks`, caller, {
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    unlock: (id: string, caller: FakeCaller = callers.withMfa, routes = '/v1') =>
      signedCall(`${api.url}${routes}/locks/${id}`, caller, { method: 'DELETE' }),
    sessions: (caller: FakeCaller = callers.withMfa) =>
      signedCall(`${api.url}/v1/sessions`, caller, { method: 'GET' }),
    revoke: (id: string, body?: unknown, caller: FakeCaller = callers.withMfa, routes = '/v1') =>
      signedCall(`${api.url}${routes}/sessions/${id}/revoke`, caller, {
        body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
      }),
    /** What a gateway does when it sees the wish. */
    end: async (id: string) => {
      if ((await control.get('revocation', id)) !== undefined) await control.delete('session', id);
    },
    wish: async (id: string) => (await control.get('revocation', id))?.data,
  };
}

describe('the list of sessions', () => {
  it('has those that are open, the oldest first', async () => {
    const older = sessionOf(two, { startedAtMs: nowMs - 120_000 });
    const withFacts = { ...older, targetFacts: { host: '192.0.2.30', port: 22, labels: { env: 'prod' } } };
    const ended = sessionOf(`s-${'3'.repeat(32)}`, { state: 'ended' });
    const { sessions } = await openPlace([sessionOf(one), withFacts, ended]);

    const { status, json } = await sessions();

    expect([status, json]).toEqual([200, { sessions: [older, sessionOf(one)], truncated: false }]);
  });

  it('is empty where nobody is connected', async () => {
    const { sessions } = await openPlace([]);

    expect((await sessions()).json).toEqual({ sessions: [], truncated: false });
  });

  it('is kept out of caches', async () => {
    const { sessions } = await openPlace([]);

    expect((await sessions()).headers.get('cache-control')).toBe('no-store');
  });

  it('fits an answer, however many are connected', async () => {
    const many = Array.from({ length: 5_001 }, (_, n) => sessionOf(`s-${String(n).padStart(32, '0')}`));
    const { sessions } = await openPlace(many);

    const { json, text } = await sessions();

    expect(json['truncated']).toBe(true);
    expect(Buffer.byteLength(text)).toBeLessThan(6 * 1024 * 1024);
  });
});

describe('the end of a session', () => {
  it('is a wish in the store, in the name of who IAM proved to ask; the answer waits for it', async () => {
    const place = await openPlace([sessionOf(one), sessionOf(two)]);
    place.state.whileWaiting = () => place.end(one);

    const { status, json } = await place.revoke(one, { message: 'the change window is over' });

    expect([status, json]).toEqual([200, { sessionId: one, state: 'ended' }]);
    expect(await place.wish(one)).toEqual({
      sessionId: one,
      by: 'iam:Engineer+alice',
      message: 'the change window is over (Engineer+alice)',
      atMs: nowMs,
    });
    expect(await place.wish(two)).toBeUndefined();
  });

  it('has no secret in its reason', async () => {
    const place = await openPlace([sessionOf(one)]);
    place.state.whileWaiting = () => place.end(one);

    await place.revoke(one, { message: 'hunter2 was in the chat' });

    expect((await place.wish(one))?.message).toBe('[hidden] was in the chat (Engineer+alice)');
  });

  it('needs no reason', async () => {
    const place = await openPlace([sessionOf(one), sessionOf(two)]);
    place.state.whileWaiting = async () => {
      await place.end(one);
      await place.end(two);
    };

    await place.revoke(one);
    await place.revoke(two, {}, callers.longTermKey);

    expect((await place.wish(one))?.message).toBe('ended by an operator (Engineer+alice)');
    expect(await place.wish(two)).toMatchObject({ by: 'iam:carol', message: 'ended by an operator (carol)' });
  });

  it('is said to be asked for where it does not come in time', async () => {
    const place = await openPlace([sessionOf(one)]);

    const { status, json } = await place.revoke(one);

    expect([status, json]).toEqual([202, { sessionId: one, state: 'asked' }]);
    expect(place.clock.nowMs - nowMs).toBe(5_000);
  });

  it('is said to be asked for already, and keeps the first reason', async () => {
    const place = await openPlace([sessionOf(one)]);
    await place.revoke(one, { message: 'first' });

    const { status, json } = await place.revoke(one, { message: 'second' }, callers.longTermKey);

    expect([status, json]).toEqual([202, { sessionId: one, state: 'already' }]);
    expect(await place.wish(one)).toMatchObject({
      by: 'iam:Engineer+alice',
      message: 'first (Engineer+alice)',
    });
  });

  it.each([
    ['that nobody knows', []],
    ['that has ended', [sessionOf(one, { state: 'ended' })]],
  ])('of a session %s is no wish', async (_, sessions) => {
    const place = await openPlace(sessions);

    const { status, json } = await place.revoke(one);

    expect([status, json]).toEqual([200, { sessionId: one, state: 'not-open' }]);
    expect(await place.wish(one)).toBeUndefined();
  });

  it('does not reach the engineer as something that moves the cursor', async () => {
    const place = await openPlace([sessionOf(one)]);

    await place.revoke(one, { message: 'bye\u001b[2J\r\n\u202eroot' });

    expect((await place.wish(one))?.message).toBe('bye\\u{1b}[2J\\u{d}\\u{a}\\u{202e}root (Engineer+alice)');
  });

  it.each([['s-1'], [one.toUpperCase()], [`${one}0`], ['s-..%2F..%2Fconfig'], [`${one}%0a`], ['%00'], ['*']])(
    'is refused for %s, which is no session',
    async (id) => {
      const place = await openPlace([sessionOf(one)]);

      const { status, json } = await place.revoke(id);

      expect([status, json]).toMatchObject([400, { error: { code: 'bad-session-id' } }]);
      expect(await place.control.list('revocation')).toEqual([]);
    },
  );

  it.each<[string, unknown]>([
    ['that is no JSON', 'bye'],
    ['that is a list', []],
    ['with other fields', { message: 'bye', by: 'root' }],
    ['with a reason that is no text', { message: 1 }],
    ['with a reason that is too long', { message: 'x'.repeat(501) }],
    ['that is too long', ' '.repeat(9_000)],
  ])('is refused by a body %s', async (_, body) => {
    const place = await openPlace([sessionOf(one)]);

    const { status, json } = await place.revoke(one, body);

    expect([status, json]).toMatchObject([400, { error: { code: 'bad-request' } }]);
    expect(await place.wish(one)).toBeUndefined();
  });

  it('is refused to nobody in particular, and to test calls of the console', async () => {
    const place = await openPlace([sessionOf(one)]);
    const { handler } = place;

    const answers = [
      await handler(eventOf({ userArn: null })),
      await handler(eventOf({ sourceIp: 'test-invoke-source-ip' })),
    ];

    expect(answers.map(({ statusCode }) => statusCode)).toEqual([403, 403]);
    expect(await place.wish(one)).toBeUndefined();
  });

  it('is judged whatever the body', async () => {
    const place = await openPlace([]);

    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.boolean(), async (body, isBase64Encoded) => {
        const { statusCode } = await place.handler({ ...eventOf({}), body, isBase64Encoded });
        expect([200, 400]).toContain(statusCode);
      }),
    );
  });
});

describe('the right to end a session', () => {
  const targetFacts = { host: '192.0.2.30', port: 22, labels: { env: 'prod' } };

  it.each<[string, Partial<LiveSession>, FakeCaller, string, string]>([
    ['no permit', {}, callers.otherAccount, '/v1', 'no policy allows'],
    ['a permit for another account', { login: 'root' }, callers.withoutMfa, '/v1', 'as root on web-1'],
    ['a permit for other targets', { target: 'db-1' }, callers.withoutMfa, '/v1', 'forbids'],
    [
      'no second factor',
      { target: 'db-1' },
      callers.withMfa,
      '/v1',
      '"proved" forbids .*; log in to AWS with MFA',
    ],
    ['a target that is gone since', { target: 'db-0', targetFacts }, callers.withMfa, '/v1', '"proved"'],
    ['a target of which nothing is known', { target: 'db-0' }, callers.withoutMfa, '/v1', 'no policy allows'],
    [
      'Identity Center, of which IAM knows no factor',
      { target: 'db-1' },
      callers.identityCenter,
      '/v1',
      '"proved"',
    ],
  ])('is refused, and that is on record: %s', async (_, changes, caller, routes, sentence) => {
    const place = await openPlace([sessionOf(one, changes)]);

    const { status, json } = await place.revoke(one, { message: 'out, hunter2' }, caller, routes);

    expect([status, json]).toMatchObject([
      403,
      { error: { code: 'not-allowed', message: expect.stringMatching(sentence) } },
    ]);
    expect(await place.control.list('revocation')).toEqual([]);
    const [draft] = place.journal.drafts;
    expect(place.journal.drafts).toHaveLength(1);
    expect(draft).toMatchObject({
      eventName: 'RevokeSession',
      errorCode: 'AccessDenied',
      errorMessage: expect.stringMatching(sentence),
      userIdentity: { arn: caller.arn },
      requestParameters: { subjectSessionId: one, subjectName: 'Engineer+bob', reason: 'out, [hidden]' },
      additionalEventData: { mfaAuthenticated: 'false', mfaMethod: 'none' },
    });
    // It is nothing that happened in the session.
    expect(draft?.additionalEventData['sessionId']).toBeUndefined();
    expect(draft?.requestParameters['sessionId']).toBeUndefined();
  });

  it.each<[string, Partial<LiveSession>, FakeCaller, string]>([
    ['by its target', {}, callers.withoutMfa, '/v1'],
    ['with a second factor', { target: 'db-1' }, callers.withMfa, '/v1/mfa'],
    ['on a target that is gone since', { target: 'db-0', targetFacts }, callers.withMfa, '/v1/mfa'],
    ['on a target of which nothing is known', { target: 'db-0' }, callers.withMfa, '/v1'],
  ])('is given %s', async (_, changes, caller, routes) => {
    const place = await openPlace([sessionOf(one, changes)]);
    place.state.whileWaiting = () => place.end(one);

    const { status } = await place.revoke(one, undefined, caller, routes);

    expect(status).toBe(200);
    expect(await place.wish(one)).toBeDefined();
    expect(place.journal.drafts).toEqual([]);
  });

  it('tells Identity Center from IAM where the owner of the account vouches for a factor', async () => {
    const place = await openPlace([sessionOf(one, { target: 'db-1' })]);
    place.state.identityCenterMfaAccounts = ['123456789012'];

    const { status } = await place.revoke(one, undefined, callers.identityCenter);

    expect(status).toBe(403);
    expect(place.journal.drafts).toMatchObject([
      { additionalEventData: { mfaAuthenticated: 'true', mfaMethod: 'identity-center-asserted' } },
    ]);
  });

  it('is refused where policies cannot be read, and nothing is done', async () => {
    const place = await openPlace([sessionOf(one)]);
    Object.defineProperty(place.state, 'rules', { get: () => Promise.reject(new Error('no parameter')) });

    await place.revoke(one);
    await place.lock({ selector: { identity: 'Engineer+bob' }, message: 'out' });

    expect(await place.control.list('revocation')).toEqual([]);
    expect(await place.control.list('lock')).toEqual([]);
  });

  it('takes no factor from a path that is spelled otherwise than the resource policy has it', async () => {
    const { handler, journal } = await openPlace([sessionOf(one, { target: 'db-1' })]);
    const call = { resource: apiRoutes.revokeSessionWithMfa, pathParameters: { sessionId: one }, body: null };

    const answer = await handler({ ...apiEvent(call), path: `/v1/%6dfa/sessions/${one}/revoke` });

    expect(answer.statusCode).toBe(403);
    expect(journal.drafts).toMatchObject([{ additionalEventData: { mfaAuthenticated: 'false' } }]);
  });

  it.each([callers.withoutMfa, callers.longTermKey, callers.identityCenter])(
    'is asked for by no route of MFA where IAM knows of none: $arn',
    async (caller) => {
      const place = await openPlace([sessionOf(one)]);
      const lockId = `l-${'ab'.repeat(16)}`;

      const answers = [
        await place.revoke(one, undefined, caller, '/v1/mfa'),
        await place.lock({ selector: { all: true }, message: 'out' }, caller, '/v1/mfa'),
        await place.unlock(lockId, caller, '/v1/mfa'),
      ];

      for (const { status, json } of answers)
        expect([status, json['Message']]).toEqual([403, expect.stringContaining('not authorized')]);
      expect(place.journal.drafts).toEqual([]);
    },
  );
});

describe('the right to lock', () => {
  const lockId = `l-${'ab'.repeat(16)}`;

  it.each<[string, LockSelector, FakeCaller, string]>([
    ['a target', { target: 'web-1', login: 'deploy' }, callers.withoutMfa, '/v1'],
    ['all accounts of a target', { target: 'web-1' }, callers.withoutMfa, '/v1'],
    ['one person on a target', { target: 'web-1', identity: 'Engineer+eve' }, callers.withoutMfa, '/v1'],
    ['a target that was found by its tags', { target: 'tagged-1' }, callers.withoutMfa, '/v1'],
    ['a target with a second factor', { target: 'db-1' }, callers.withMfa, '/v1/mfa'],
    ['everybody', { all: true }, callers.withMfa, '/v1'],
    ['a target nobody knows', { target: 'web-9' }, callers.withMfa, '/v1'],
  ])('is given, and to lift as well: %s', async (_, selector, caller, routes) => {
    const place = await openPlace([sessionOf(one, tagged)]);

    const made = await place.lock({ selector, message: 'out' }, caller, routes);
    const lifted = await place.unlock(lockId, caller, routes);

    expect([made.status, lifted.json]).toEqual([201, { lockId, state: 'lifted' }]);
    const factor = { mfaAuthenticated: String(routes === '/v1/mfa') };
    expect(place.journal.drafts).toMatchObject([
      { eventName: 'CreateLock', additionalEventData: factor },
      { eventName: 'DeleteLock', additionalEventData: factor },
    ]);
  });

  it.each<[string, LockSelector, FakeCaller, string]>([
    ['everybody', { all: true }, callers.withoutMfa, 'on any target'],
    ['a person', { identity: 'Engineer+eve' }, callers.withoutMfa, 'on any target'],
    ['an account everywhere', { login: 'deploy' }, callers.withoutMfa, 'on any target'],
    ['a session', { sessionId: one }, callers.withoutMfa, 'on any target'],
    ['an account it is not for', { target: 'web-1', login: 'root' }, callers.withoutMfa, 'as root on web-1'],
    ['a target nobody knows', { target: 'web-9' }, callers.withoutMfa, 'on any target'],
    ['a target without a second factor', { target: 'db-1' }, callers.withMfa, '"proved" forbids'],
  ])('is refused, and to lift as well, on record: %s', async (_, selector, caller, sentence) => {
    const place = await openPlace([sessionOf(one, tagged)]);
    const lock = { lockId, selector, message: 'out', author: 'carol', createdAtMs: nowMs };

    const made = await place.lock({ selector, message: 'out' }, caller);
    await place.control.put('lock', lockId, lock, { kind: 'any' });
    const lifted = await place.unlock(lockId, caller);

    for (const { status, json } of [made, lifted])
      expect([status, json]).toMatchObject([
        403,
        { error: { code: 'not-allowed', message: expect.stringContaining(sentence) } },
      ]);
    expect((await place.control.list('lock')).map(({ data }) => data)).toEqual([lock]);
    const subject = { errorCode: 'AccessDenied', userIdentity: { arn: caller.arn } };
    expect(place.journal.drafts).toMatchObject([
      { ...subject, eventName: 'CreateLock', requestParameters: { reason: 'out' } },
      { ...subject, eventName: 'DeleteLock', requestParameters: { lockId, lockAuthor: 'carol' } },
    ]);
  });

  it('is the right of nobody who is locked out by name, so that nobody lifts the lock of themselves', async () => {
    const place = await openPlace([sessionOf(one)]);
    await place.lock({ selector: { identity: 'Engineer+alice' }, message: 'stolen' }, callers.longTermKey);

    const answers = [
      await place.unlock(lockId),
      await place.revoke(one),
      await place.lock({ selector: { identity: 'carol' }, message: 'ha' }),
    ];

    for (const { status, json } of answers)
      expect([status, json]).toMatchObject([403, { error: { message: `stolen (lock ${lockId})` } }]);
    expect(place.journal.drafts.slice(1)).toMatchObject([
      { eventName: 'DeleteLock', additionalEventData: { denyReason: 'locked', lockId } },
      { eventName: 'RevokeSession', additionalEventData: { denyReason: 'locked', lockId } },
      { eventName: 'CreateLock', additionalEventData: { denyReason: 'locked', lockId } },
    ]);
    expect(await place.unlock(lockId, callers.longTermKey)).toMatchObject({ json: { state: 'lifted' } });
  });
});

const tagged: Partial<LiveSession> = {
  target: 'tagged-1',
  targetFacts: { host: '192.0.2.40', port: 22, labels: { env: 'staging' } },
};

describe('a lock', () => {
  const lockId = `l-${'ab'.repeat(16)}`;
  const wish = { selector: { identity: 'Engineer+bob' }, message: 'call the security desk' };

  it('is in the store and on record in the name of who IAM proved to ask', async () => {
    const place = await openPlace([]);

    const { status, json } = await place.lock({ ...wish, forSeconds: 3600 });

    const lock = {
      lockId,
      ...wish,
      author: 'iam:Engineer+alice',
      createdAtMs: nowMs,
      expiresAtMs: nowMs + 3_600_000,
    };
    expect([status, json]).toEqual([201, lock]);
    expect((await place.locks()).json).toEqual({ locks: [lock], truncated: false });
    expect((await place.control.get('lock', lockId))?.expiresAtMs).toBe(lock.expiresAtMs);
    expect(place.journal.drafts).toMatchObject([
      {
        eventName: 'CreateLock',
        userIdentity: { userName: 'Engineer+alice', arn: callers.withMfa.arn },
        sourceIPAddress: '127.0.0.1',
        requestParameters: { lockId, subjectName: 'Engineer+bob' },
      },
    ]);
  });

  it('has no secret in its message', async () => {
    const place = await openPlace([]);

    const { json } = await place.lock({ ...wish, message: 'hunter2 was in the chat' });

    expect(json).toMatchObject({ message: '[hidden] was in the chat' });
    expect((await place.control.get('lock', lockId))?.data.message).toBe('[hidden] was in the chat');
    expect(JSON.stringify(place.journal.drafts)).not.toContain('hunter2');
  });

  it('is lifted, once, on record', async () => {
    const place = await openPlace([]);
    await place.lock(wish);

    const first = await place.unlock(lockId, callers.longTermKey);
    const second = await place.unlock(lockId);

    expect([first.status, first.json]).toEqual([200, { lockId, state: 'lifted' }]);
    expect([second.status, second.json]).toEqual([200, { lockId, state: 'not-there' }]);
    expect((await place.locks()).json).toEqual({ locks: [], truncated: false });
    expect(
      place.journal.drafts.map(({ eventName, userIdentity }) => [eventName, userIdentity.userName]),
    ).toEqual([
      ['CreateLock', 'Engineer+alice'],
      ['DeleteLock', 'carol'],
    ]);
  });

  it('is not made where that cannot be put on record', async () => {
    const place = await openPlace([]);
    place.journal.failure = new Error('the bucket is gone');

    await place.lock(wish);

    expect(await place.control.list('lock')).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['that is no JSON', 'bob', 'bad-request'],
    ['without a message', { selector: { identity: 'bob' } }, 'bad-request'],
    ['with a blank message', { ...wish, message: ' ' }, 'bad-request'],
    ['in the name of another', { ...wish, author: 'root' }, 'bad-request'],
    ['for no time', { ...wish, forSeconds: 0 }, 'bad-request'],
    ['for ever and a day', { ...wish, forSeconds: 1e12 }, 'bad-request'],
    ['of nobody', { ...wish, selector: {} }, 'nothing-selected'],
    ['of everybody and one', { ...wish, selector: { all: true, identity: 'bob' } }, 'all-stands-alone'],
    ['of every address', { ...wish, selector: { source: '0.0.0.0/0' } }, 'malformed-field'],
    ['by another field', { ...wish, selector: { group: 'engineers' } }, 'unknown-field'],
  ])('%s is refused', async (_, body, code) => {
    const place = await openPlace([]);

    const { status, json } = await place.lock(body);

    expect([status, json]).toMatchObject([400, { error: { code } }]);
    expect(await place.control.list('lock')).toEqual([]);
  });

  it.each([['l-1'], [lockId.toUpperCase()], [`${lockId}0`], ['..%2Fsessions'], ['*']])(
    'is not lifted by %s, which is no id',
    async (id) => {
      const place = await openPlace([]);
      await place.lock(wish);

      expect(await place.unlock(id)).toMatchObject({ status: 400, json: { error: { code: 'bad-lock-id' } } });
      expect(await place.control.list('lock')).toHaveLength(1);
    },
  );

  it('is made by nobody in particular as little as by test calls of the console', async () => {
    const { handler, control } = await openPlace([]);
    const call = { resource: apiRoutes.locks, pathParameters: null, body: JSON.stringify(wish) };

    const answers = [
      await handler(apiEvent(call, { userArn: null })),
      await handler(apiEvent(call, { sourceIp: 'test-invoke-source-ip' })),
    ];

    expect(answers.map(({ statusCode }) => statusCode)).toEqual([403, 403]);
    expect(await control.list('lock')).toEqual([]);
  });

  it('is judged whatever the body', async () => {
    const { handler } = await openPlace([]);

    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), async (body) => {
        const call = { resource: apiRoutes.locks, pathParameters: null, body };
        expect((await handler(apiEvent(call, {}))).statusCode).toBe(400);
      }),
    );
  });
});

describe('a route', () => {
  it('that is not there is told so', async () => {
    const { handler } = await openPlace([]);

    for (const resource of ['/v1/other', 'constructor', '__proto__'])
      expect((await handler({ ...eventOf({}), resource })).statusCode).toBe(404);
  });

  it.each([
    [apiRoutes.sessions, 'POST', 'GET'],
    [apiRoutes.revokeSession, 'DELETE', 'POST'],
    [apiRoutes.locks, 'DELETE', 'GET, POST'],
    [apiRoutes.lock, 'constructor', 'DELETE'],
    [apiRoutes.locksWithMfa, 'GET', 'POST'],
  ])('%s is refused by %s', async (resource, httpMethod, allow) => {
    const { handler } = await openPlace([]);

    const answer = await handler({ ...eventOf({}), resource, httpMethod });

    expect([answer.statusCode, answer.headers?.['allow']]).toEqual([405, allow]);
  });
});

/** A revocation of `one`. */
function eventOf(
  identity: Partial<APIGatewayProxyEvent['requestContext']['identity']>,
): APIGatewayProxyEvent {
  const call = { resource: apiRoutes.revokeSession, pathParameters: { sessionId: one }, body: null };
  return apiEvent(call, identity);
}
