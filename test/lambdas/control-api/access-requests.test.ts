import type { APIGatewayProxyEvent } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { compileRules, redactText } from '#core/redaction';
import { apiRoutes } from '../../../core/contract/index.ts';
import { loadPolicy } from '../../../core/policy/index.ts';
import type { AccessRules } from '../../../lambdas/control-api/access-rules.ts';
import { controlApi } from '../../../lambdas/control-api/control-api.ts';
import { fakeJournal, fakeNotifier, memoryControlStore } from '../../core/runbook/fakes.ts';
import { type FakeCaller, startFakeApi } from '../../fakes/aws/api-gateway.ts';
import { apiEvent, callers, resourcePolicy } from '../api-callers.ts';
import { signedCall } from '../signed-call.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const id = `r-${'ab'.repeat(16)}`;
const loaded = loadPolicy([
  {
    file: 'policy.cedar',
    text: `@id("approved") permit (principal in Group::"engineers", action in Action::"session", resource) when { context.approved };
@id("glass") permit (principal == User::"Engineer+alice", action in Action::"session", resource) when { context.breakGlass };
@id("leads") permit (principal in Group::"leads", action == Action::"approve", resource);
@id("proved") permit (principal, action == Action::"approve", resource) when { context.mfa && context.mfaMethod == "iam" && context.mfaAgeSeconds == 0 };`,
  },
]);
if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));

const rules: AccessRules = {
  policy: loaded.policy,
  targets: [
    { name: 'db-1', host: '192.0.2.17', port: 22, labels: {}, hostTrust: { kind: 'pinned', keys: [] } },
  ],
  access: { waitSeconds: 300, requestSeconds: 3600, grantSeconds: 3600, maxGrantSeconds: 7200 },
  groupsOf: (arn) => (arn.includes(':user/ops/') ? ['leads'] : ['engineers']),
  redact: (text) => redactText(text, compileRules({ defaults: true, rules: [] })).text,
};
const wish = { target: 'db-1', login: 'postgres', reason: 'restore the index' };

async function openPlace() {
  const control = memoryControlStore({ nowMs });
  const journal = fakeJournal();
  const notifier = fakeNotifier();
  const handler = (event: APIGatewayProxyEvent) =>
    controlApi(event, {
      control,
      journal,
      notifier,
      rules: async () => rules,
      identityCenterMfaAccounts: [],
      now: () => nowMs,
      sleep: async () => undefined,
      randomBytes: (size) => Buffer.alloc(size, 0xab),
    });
  const {
    requests,
    cancelRequest,
    approveRequest,
    approveRequestWithMfa,
    rejectRequest,
    rejectRequestWithMfa,
  } = apiRoutes;
  const api = await startFakeApi({
    routes: [
      { method: 'GET', path: requests, handler },
      ...[
        requests,
        approveRequest,
        approveRequestWithMfa,
        rejectRequest,
        rejectRequestWithMfa,
        cancelRequest,
      ].map((path) => ({
        method: 'POST',
        path,
        handler,
      })),
    ],
    resourcePolicy,
    credentials: Object.values(callers),
  });
  onTestFinished(() => api.close());
  const post = (path: string, body: unknown, caller: FakeCaller) =>
    signedCall(`${api.url}${path}`, caller, { body: JSON.stringify(body) });
  return {
    control,
    journal,
    notifier,
    handler,
    ask: (changes: object = {}, caller: FakeCaller = callers.withMfa) =>
      post('/v1/requests', { ...wish, ...changes }, caller),
    decide: (what: 'approve' | 'reject' | 'cancel', caller: FakeCaller, body: object = {}, routes = '/v1') =>
      post(`${routes}/requests/${id}/${what}`, body, caller),
    list: () => signedCall(`${api.url}/v1/requests`, callers.withMfa, { method: 'GET' }),
  };
}

describe('a request by the API', () => {
  it('waits in the name of who IAM proved to ask, is on record, and people are told', async () => {
    const { ask, list, journal, notifier } = await openPlace();

    const { status, json } = await ask({ forSeconds: 7200, ticket: 'INC-421' });

    expect([status, json['request']]).toMatchObject([
      201,
      { id, identity: 'Engineer+alice', needed: 1, forMs: 7_200_000, ticket: 'INC-421', state: 'waiting' },
    ]);
    expect(journal.drafts).toMatchObject([
      { eventName: 'RequestAccess', userIdentity: { userName: 'Engineer+alice', type: 'AssumedRole' } },
    ]);
    expect(notifier.notices).toMatchObject([{ text: expect.stringContaining(`sshtrail approve ${id}`) }]);
    expect((await list()).json['requests']).toMatchObject([{ id }]);
  });

  it('is approved by whom policy lets, and is a grant then', async () => {
    const { ask, decide, control, journal } = await openPlace();
    await ask();

    const { status, json } = await decide('approve', callers.longTermKey);

    expect([status, json]).toMatchObject([
      200,
      { request: { state: 'approved' }, grant: { approvedBy: ['carol'] } },
    ]);
    expect(await control.list('grant')).toHaveLength(1);
    expect(journal.drafts[1]).toMatchObject({
      eventName: 'ApproveRequest',
      userIdentity: { userName: 'carol' },
    });
  });

  it.each([
    ['who asked', 'approve', callers.withMfa, 403, 'own-request'],
    ['whom policy does not let', 'approve', callers.withoutMfa, 403, 'not-allowed'],
    ['whom policy does not let', 'reject', callers.withoutMfa, 403, 'not-allowed'],
    ['somebody else', 'cancel', callers.longTermKey, 403, 'not-own-request'],
  ] as const)('is not decided on by %s: %s', async (_, what, caller, expected, code) => {
    const { ask, decide, control } = await openPlace();
    await ask();

    const { status, json } = await decide(what, caller, { reason: 'why' });

    expect([status, json]).toMatchObject([expected, { error: { code } }]);
    expect((await control.get('request', id))?.data).toMatchObject({ state: 'waiting', approvals: [] });
  });

  it.each(['approve', 'reject'] as const)(
    'takes the route of MFA for a policy that wants a factor to %s',
    async (what) => {
      const { ask, decide, journal } = await openPlace();
      await ask({}, callers.withoutMfa);
      const body = { reason: 'why' };

      const without = await decide(what, callers.withMfa, body);
      const refusedByIam = await decide(what, callers.longTermKey, body, '/v1/mfa');
      const withFactor = await decide(what, callers.withMfa, body, '/v1/mfa');

      expect([without.status, without.json]).toMatchObject([403, { error: { code: 'not-allowed' } }]);
      expect(refusedByIam.json['Message']).toContain('not authorized');
      expect(withFactor.status).toBe(200);
      expect(journal.drafts.slice(1).map(({ additionalEventData }) => additionalEventData)).toMatchObject([
        { mfaAuthenticated: 'false', mfaMethod: 'none' },
        { mfaAuthenticated: 'true', mfaMethod: 'iam' },
      ]);
    },
  );

  it('that was decided on is not decided on again', async () => {
    const { ask, decide } = await openPlace();
    await ask();
    await decide('reject', callers.longTermKey, { reason: 'not now' });

    const { status, json } = await decide('approve', callers.longTermKey);

    expect([status, json]).toMatchObject([409, { error: { code: 'decided-before' } }]);
  });

  it('is kept, told and on record without the secrets that are in its reasons', async () => {
    const { ask, decide, control, journal, notifier } = await openPlace();
    const secret = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a';

    await ask({ reason: `the token ${secret} is lost` });
    await decide('reject', callers.longTermKey, { reason: `${secret} is revoked` });

    const request = (await control.get('request', id))?.data;
    expect(request).toMatchObject({ state: 'rejected' });
    const said = JSON.stringify([request, journal.drafts, notifier.notices]);
    expect(said).toContain('is lost');
    expect(said).not.toContain(secret);
  });

  it('takes a reason to be rejected', async () => {
    const { ask, decide } = await openPlace();
    await ask();

    expect((await decide('reject', callers.longTermKey)).status).toBe(400);
  });

  it('by break-glass is granted at once, and pages people', async () => {
    const { ask, control, notifier } = await openPlace();

    const { status } = await ask({ breakGlass: true });

    expect(status).toBe(201);
    expect((await control.list('grant')).map(({ data }) => data.breakGlass)).toEqual([true]);
    expect(notifier.notices).toMatchObject([{ severity: 'critical' }]);
  });

  it.each<[string, object, number]>([
    ['for a target nobody knows', { target: 'db-9' }, 404],
    ['for too long', { forSeconds: 7201 }, 400],
    ['with a field of its own', { identity: 'root' }, 400],
    ['with a reason that is no text', { reason: 1 }, 400],
    ['without a reason', { reason: '' }, 409],
  ])('is refused %s, and leaves nothing', async (_, changes, expected) => {
    const { ask, control, journal } = await openPlace();

    expect((await ask(changes)).status).toBe(expected);

    expect(await control.list('request')).toEqual([]);
    expect(journal.drafts).toEqual([]);
  });

  it.each(['r-1', id.toUpperCase(), `${id}0`, `${id}\n`, '*'])('has no id such as %j', async (requestId) => {
    const { handler } = await openPlace();

    const answer = await handler(eventOf({ requestId }, '{}'));

    expect(answer.statusCode).toBe(400);
  });

  it('is judged whatever the body', async () => {
    const { handler } = await openPlace();

    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (body) => {
        const { statusCode } = await handler(eventOf({ requestId: id }, body));
        expect([400, 404]).toContain(statusCode);
      }),
    );
  });
});

function eventOf(pathParameters: Record<string, string>, body: string): APIGatewayProxyEvent {
  return apiEvent({ resource: apiRoutes.approveRequest, pathParameters, body });
}
