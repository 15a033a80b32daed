import { randomBytes } from 'node:crypto';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { apiRoutes } from '../../../core/contract/index.ts';
import { totpCode } from '../../../core/totp/index.ts';
import { factorApi, isFactorRoute } from '../../../lambdas/control-api/factors.ts';
import { createTotpFactor } from '../../../proxy-task/login/second-factor.ts';
import { fakeJournal, memoryControlStore } from '../../core/runbook/fakes.ts';
import { startFakeApi } from '../../fakes/aws/api-gateway.ts';
import { apiEvent, callers, resourcePolicy } from '../api-callers.ts';
import { signedCall } from '../signed-call.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const bob = { name: 'bob', principalId: 'bob', type: 'person' as const, groups: [] };

async function openPlace() {
  const clock = { nowMs };
  const control = memoryControlStore(clock);
  const journal = fakeJournal();
  const handler = (event: APIGatewayProxyEvent) =>
    factorApi(event, { control, journal, now: () => clock.nowMs, randomBytes });
  const api = await startFakeApi({
    routes: [
      { method: 'GET', path: apiRoutes.factors, handler },
      { method: 'POST', path: apiRoutes.enrollFactor, handler },
      { method: 'POST', path: apiRoutes.removeFactor, handler },
    ],
    resourcePolicy,
    credentials: Object.values(callers),
  });
  onTestFinished(() => api.close());
  return {
    clock,
    control,
    journal,
    handler,
    factor: createTotpFactor(control, () => clock.nowMs),
    list: () => signedCall(`${api.url}/v1/factors`, callers.withMfa, { method: 'GET' }),
    call: (what: 'enroll' | 'remove', name: string, body?: unknown) =>
      signedCall(`${api.url}/v1/factors/${name}/${what}`, callers.withMfa, {
        body: body === undefined ? undefined : JSON.stringify(body),
      }),
  };
}

describe('the API of second factors', () => {
  it('enrols, and what it answers with logs in', async () => {
    const place = await openPlace();

    const { status, json, headers } = await place.call('enroll', 'bob');

    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    const code = totpCode(String(json['secret']), nowMs);
    expect(json['confirmBefore']).toBe('2026-11-20T12:10:00.000Z');
    expect(await place.factor.check(bob, code)).toEqual({ kind: 'refused', reason: 'not-enrolled' });
    const confirmed = await place.call('enroll', 'bob', { code });
    expect(confirmed).toMatchObject({ status: 200, json: { identity: 'bob', confirmed: true } });
    place.clock.nowMs += 30_000;
    const next = totpCode(String(json['secret']), place.clock.nowMs);
    expect(await place.factor.check(bob, code)).toEqual({ kind: 'refused', reason: 'reused' });
    expect(await place.factor.check(bob, next)).toEqual({ kind: 'accepted', method: 'totp' });
    const [recovery = ''] = json['recoveryCodes'] as readonly string[];
    expect(await place.factor.check(bob, recovery)).toMatchObject({ kind: 'accepted', left: 9 });
  });

  it('has it on record by whom, without what was given out', async () => {
    const { call, journal } = await openPlace();

    const { json } = await call('enroll', 'bob');
    await call('enroll', 'bob', { code: '12345' });
    await call('remove', 'bob', { reason: 'left' });

    expect(
      journal.drafts.map(({ eventName, userIdentity }) => `${eventName} ${userIdentity.userName}`),
    ).toEqual([
      'EnrollFactor iam:Engineer+alice',
      'ConfirmFactor iam:Engineer+alice',
      'RemoveFactor iam:Engineer+alice',
    ]);
    expect(JSON.stringify(journal.drafts)).not.toContain(String(json['secret']));
  });

  it('replaces only where that is said', async () => {
    const { call, factor } = await openPlace();
    const first = await call('enroll', 'bob', { confirm: false });

    const refused = await call('enroll', 'bob');
    const second = await call('enroll', 'bob', { replace: true, confirm: false });

    expect([refused.status, second.status]).toEqual([409, 200]);
    expect(await factor.check(bob, totpCode(String(first.json['secret']), nowMs))).toMatchObject({
      kind: 'refused',
    });
  });

  it('takes no wrong code, and after five none for a while', async () => {
    const { call, factor, clock } = await openPlace();
    expect((await call('enroll', 'bob', { code: '123456' })).json['error']).toMatchObject({
      code: 'nothing-waits',
    });
    const { json } = await call('enroll', 'bob');
    const right = totpCode(String(json['secret']), nowMs);
    const old = totpCode(String(json['secret']), nowMs - 600_000);

    for (let failure = 0; failure < 5; failure += 1)
      expect(await call('enroll', 'bob', { code: old })).toMatchObject({
        status: 400,
        json: { error: { code: 'code-refused' } },
      });

    const locked = await call('enroll', 'bob', { code: right });
    expect(locked).toMatchObject({ status: 429, json: { error: { code: 'too-many-codes' } } });
    expect(locked.headers.get('retry-after')).toBe('60');
    clock.nowMs += 600_000;
    expect((await call('enroll', 'bob', { code: right })).status).toBe(404);
    expect(await factor.has(bob)).toBe(false);
  });

  it('lists who has one, and nothing that makes a code', async () => {
    const { call, list } = await openPlace();
    await call('enroll', 'carol');
    const { json } = await call('enroll', 'bob', { confirm: false });

    const { json: listed, text } = await list();

    expect(listed['factors']).toEqual([
      {
        identity: 'bob',
        factor: 'enrolled',
        enrolledAt: new Date(nowMs).toISOString(),
        enrolledBy: 'iam:Engineer+alice',
        recoveryCodesLeft: 10,
        failures: 0,
        driftSeconds: 0,
      },
      {
        identity: 'carol',
        factor: 'unconfirmed',
        confirmBefore: '2026-11-20T12:10:00.000Z',
        recoveryCodesLeft: 0,
        failures: 0,
        driftSeconds: 0,
      },
    ]);
    expect(text).not.toContain(String(json['secret']));
  });

  it('has no secret in the reason of a removal', async () => {
    const { call, journal } = await openPlace();
    await call('enroll', 'bob');

    await call('remove', 'bob', { reason: 'sent password=correct-horse-battery by mail' });

    expect(journal.drafts.at(-1)?.eventName).toBe('RemoveFactor');
    expect(JSON.stringify(journal.drafts)).not.toContain('correct-horse-battery');
  });

  it('removes what was there, and says where nothing was', async () => {
    const { call, factor } = await openPlace();
    await call('enroll', 'bob');

    expect((await call('remove', 'bob')).status).toBe(200);
    expect((await call('remove', 'bob')).status).toBe(404);
    expect(await factor.has(bob)).toBe(false);
  });

  it.each([
    ['a name that is none', '%20', undefined, 'bad-identity'],
    ['a name with an escape sequence', 'a%1b%5b2J', undefined, 'bad-identity'],
    ['more than was asked for', 'bob', { secret: 'A'.repeat(32) }, 'bad-request'],
    ['a wrong type', 'bob', { replace: 'yes' }, 'bad-request'],
    ['a code and a wish', 'bob', { code: '123456', replace: true }, 'bad-request'],
    ['a code that is too long', 'bob', { code: '1'.repeat(65) }, 'bad-request'],
    ['a list', 'bob', [], 'bad-request'],
    ['too much', 'bob', { replace: true, x: 'x'.repeat(9000) }, 'bad-request'],
  ])('refuses %s', async (_what, name, body, code) => {
    const { call, control, journal } = await openPlace();

    const { status, json } = await call('enroll', name, body);

    expect(status).toBe(400);
    expect(json['error']).toMatchObject({ code });
    expect(await control.list('factor')).toEqual([]);
    expect(journal.drafts).toEqual([]);
  });

  it('enrols nobody when it cannot be put on record', async () => {
    const { control } = await openPlace();
    const event = apiEvent({
      resource: apiRoutes.enrollFactor,
      pathParameters: { identity: 'bob' },
      body: null,
    });
    const journal = { ...fakeJournal(), record: () => Promise.reject(new Error('no disk')) };

    await expect(factorApi(event, { control, journal, now: () => nowMs, randomBytes })).rejects.toThrow(
      'no disk',
    );

    expect(await control.list('factor')).toEqual([]);
  });

  it('answers any body without a fault', async () => {
    const { handler } = await openPlace();
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), async (body) => {
        const { statusCode } = await handler(
          apiEvent({ resource: apiRoutes.removeFactor, pathParameters: { identity: 'bob' }, body }),
        );

        expect([400, 404]).toContain(statusCode);
      }),
    );
  });
});

it('knows its routes', () => {
  expect(Object.values(apiRoutes).filter(isFactorRoute)).toHaveLength(3);
  expect(isFactorRoute('toString')).toBe(false);
});
