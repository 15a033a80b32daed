import type { APIGatewayProxyEvent } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { apiRoutes, type LiveSession } from '../../../core/contract/index.ts';
import { controlApi } from '../../../lambdas/control-api/control-api.ts';
import { fakeJournal, fakeNotifier, memoryControlStore } from '../../core/runbook/fakes.ts';
import { type FakeCaller, startFakeApi } from '../../fakes/aws/api-gateway.ts';
import { apiEvent, callers, resourcePolicy } from '../api-callers.ts';
import { signedCall } from '../signed-call.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const one = `s-${'1'.repeat(32)}`;
const two = `s-${'2'.repeat(32)}`;

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
  const state = { whileWaiting: async () => undefined as unknown };
  const journal = fakeJournal();
  const handler = (event: APIGatewayProxyEvent) =>
    controlApi(event, {
      control,
      journal,
      notifier: fakeNotifier(),
      rules: () => Promise.reject(new Error('sessions are nothing that policy is asked about')),
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
    lock: (body: unknown, caller: FakeCaller = callers.withMfa) =>
      signedCall(`${api.url}/v1/locks`, caller, {
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    unlock: (id: string, caller: FakeCaller = callers.withMfa) =>
      signedCall(`${api.url}/v1/locks/${id}`, caller, { method: 'DELETE' }),
    sessions: (caller: FakeCaller = callers.withMfa) =>
      signedCall(`${api.url}/v1/sessions`, caller, { method: 'GET' }),
    revoke: (id: string, body?: unknown, caller: FakeCaller = callers.withMfa) =>
      signedCall(`${api.url}/v1/sessions/${id}/revoke`, caller, {
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
    const ended = sessionOf(`s-${'3'.repeat(32)}`, { state: 'ended' });
    const { sessions } = await openPlace([sessionOf(one), older, ended]);

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
