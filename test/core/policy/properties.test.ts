import { preparsePolicySet, preparseSchema, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decide,
  loadPolicy,
  type PolicyRequest,
  type PolicySet,
  policySchema,
  reasonMayHelp,
  stepUp,
} from '#core/policy';

const principals = [
  'principal',
  'principal == User::"alice"',
  'principal in Group::"eng"',
  'principal is User in Group::"ops"',
  'principal in User::"bob"',
  'principal is User',
];
const actions = [
  'action',
  'action == Action::"shell"',
  'action in [Action::"exec", Action::"connect"]',
  'action in Action::"forward"',
  'action in [Action::"session", Action::"transfer"]',
  'action in Action::"oversight"',
  'action == Action::"approve"',
];
const resources = [
  'resource',
  'resource == Host::"web"',
  'resource in HostGroup::"env=prod"',
  'resource is Host in HostGroup::"team=pay"',
  'resource in Host::"db"',
  'resource is Host',
];
const conditions = [
  '',
  'when { context.mfa }',
  'unless { context.mfaAgeSeconds < 900 }',
  'when { context.login == "root" }',
  'when { context.sourceIp.isInRange(ip("192.0.2.0/24")) }',
  'when { context.reason like "INC-*" }',
  'unless { context.reason != "" }',
  'when { context.approved && context.approvals >= 2 }',
  'unless { context.mfa && context.approved }',
  'when { context.breakGlass || context.reason == "INC-7" }',
  'when { context has sessionCount && context.sessionCount > 3 }',
  'when { resource.hasTag("env") && resource.getTag("env") == "prod" }',
  'when { principal.kind == "service" || resource.port == 22 }',
  'when { context.time > datetime("2026-06-01") }',
  'when { context.hour + 9223372036854775807 > 0 }',
  'when { {"Value": context.login, "Var": context.hour, ".": 1} == {"Value": "root", "Var": 3, ".": 1} }',
  'when { {"x": context} == {"x": context} }',
  'when { action in Action::"session" && principal in [Group::"eng", Group::"ops"] }',
  'when { if resource in HostGroup::"env=dev" then context.dayOfWeek < 6 else context.mfaMethod == "totp" }',
];

const policyTexts = fc
  .record({
    effect: fc.constantFrom('permit', 'permit', 'forbid'),
    principal: fc.constantFrom(...principals),
    action: fc.constantFrom(...actions),
    resource: fc.constantFrom(...resources),
    condition: fc.constantFrom(...conditions),
  })
  .map(
    ({ effect, principal, action, resource, condition }) =>
      `${effect} (${principal}, ${action}, ${resource}) ${condition};`,
  );
const policies = fc.array(policyTexts, { minLength: 1, maxLength: 8 });

const requests: fc.Arbitrary<PolicyRequest> = fc.record(
  {
    identity: fc.record({
      name: fc.constantFrom('alice', 'bob'),
      kind: fc.constantFrom<'person' | 'service'>('person', 'service'),
      groups: fc.subarray(['eng', 'ops', 'other']),
    }),
    target: fc.record({
      name: fc.constantFrom('web', 'db'),
      host: fc.constant('web.example.com'),
      port: fc.constantFrom(22, 2222),
      labels: fc.constantFrom<Record<string, string>>(
        {},
        { env: 'prod' },
        { env: 'dev', team: 'pay' },
        { team: 'pay', env: 'prod' },
      ),
    }),
    login: fc.constantFrom('root', 'deploy'),
    action: fc.constantFrom<PolicyRequest['action']>(
      { kind: 'connect' },
      { kind: 'shell' },
      { kind: 'exec', command: 'uptime' },
      { kind: 'download', path: '/etc/passwd' },
      { kind: 'upload' },
      { kind: 'forwardAgent' },
      { kind: 'forwardLocal', destination: { kind: 'tcp', host: 'db', port: 5432 } },
      { kind: 'approve' },
      { kind: 'revoke' },
    ),
    mfa: fc.constantFrom({ method: 'totp', ageSeconds: 10 }, { method: 'fido2', ageSeconds: 9000 }),
    sourceIp: fc.constantFrom('192.0.2.7', '198.51.100.9', '2001:db8::1'),
    nowMs: fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 11, 31) }),
    reason: fc.constantFrom('INC-7', 'because', ''),
    approval: fc.record({ count: fc.integer({ min: 0, max: 3 }), breakGlass: fc.boolean() }),
    sessionCount: fc.integer({ min: 0, max: 5 }),
  },
  { requiredKeys: ['identity', 'target', 'login', 'action', 'sourceIp', 'nowMs'] },
);

preparseSchema('direct', policySchema);

/** Undefined where a combination can never apply, which loading refuses. */
function load(texts: readonly string[]): PolicySet | undefined {
  const loaded = loadPolicy([
    { file: 'x', text: texts.map((text, index) => `@id("p${index}") ${text}`).join('\n') },
  ]);
  return loaded.ok ? loaded.policy : undefined;
}

function groupOf(kind: PolicyRequest['action']['kind']): string {
  const [, group] = new RegExp(`^action ${kind} in \\[(\\w+)\\]`, 'm').exec(policySchema) ?? [];
  return group ?? '';
}

type DirectAnswer = {
  readonly allowed: boolean;
  readonly reason?: string;
  readonly policyIds: readonly string[];
};

/** The same question put to Cedar as it is: every policy, everything known; where `checked`, compared with the schema, which takes most of the time. */
function askCedar(request: PolicyRequest, checked: boolean): DirectAnswer {
  const { action, identity, target } = request;
  const answer = statefulIsAuthorized({
    principal: { type: 'User', id: identity.name },
    action: { type: 'Action', id: action.kind },
    resource: { type: 'Host', id: target.name },
    context: {
      login: request.login,
      mfa: request.mfa !== undefined,
      mfaMethod: request.mfa?.method ?? 'none',
      mfaAgeSeconds: request.mfa?.ageSeconds ?? 9007199254740991,
      sourceIp: { __extn: { fn: 'ip', arg: request.sourceIp } },
      time: { __extn: { fn: 'datetime', arg: new Date(request.nowMs).toISOString() } },
      hour: new Date(request.nowMs).getUTCHours(),
      dayOfWeek: ((new Date(request.nowMs).getUTCDay() + 6) % 7) + 1,
      reason: request.reason ?? '',
      approved: request.approval !== undefined && request.approval.count > 0,
      approvals: request.approval?.count ?? 0,
      breakGlass: request.approval?.breakGlass ?? false,
      ...(request.sessionCount === undefined ? {} : { sessionCount: request.sessionCount }),
      ...('command' in action ? { command: action.command, privileged: false } : {}),
      ...('path' in action && action.path !== undefined ? { path: action.path } : {}),
      ...('destination' in action ? { host: 'db', port: 5432, path: '' } : {}),
    },
    entities: [
      {
        uid: { type: 'User', id: identity.name },
        attrs: { name: identity.name, kind: identity.kind },
        parents: identity.groups.map((id) => ({ type: 'Group', id })),
      },
      {
        uid: { type: 'Host', id: target.name },
        attrs: { name: target.name, host: target.host, port: target.port },
        tags: target.labels,
        parents: Object.entries(target.labels).map(([label, value]) => ({
          type: 'HostGroup',
          id: `${label}=${value}`,
        })),
      },
      // The schema has it, where it is looked at.
      ...(checked
        ? []
        : [
            {
              uid: { type: 'Action', id: action.kind },
              attrs: {},
              parents: [{ type: 'Action', id: groupOf(action.kind) }],
            },
          ]),
    ],
    preparsedPolicySetId: 'direct',
    ...(checked ? { preparsedSchemaName: 'direct', validateRequest: true } : { validateRequest: false }),
  });
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
  const { decision, diagnostics } = answer.response;
  const policyIds = [...diagnostics.reason].sort();
  if (diagnostics.errors.length > 0)
    return {
      allowed: false,
      reason: 'evaluation-error',
      policyIds: diagnostics.errors.map((error) => error.policyId).sort(),
    };
  if (decision === 'allow') return { allowed: true, policyIds };
  return {
    allowed: false,
    reason: policyIds.length > 0 ? 'forbidden-by-policy' : 'no-policy-allows',
    policyIds,
  };
}

describe('for any policies and requests', () => {
  it('the answer is that of Cedar asked directly, ten thousand times', () => {
    const seen = new Set<string>();
    let asked = 0;
    fc.assert(
      fc.property(policies, fc.array(requests, { minLength: 100, maxLength: 100 }), (texts, questions) => {
        const policy = load(texts);
        fc.pre(policy !== undefined);

        preparsePolicySet('direct', {
          staticPolicies: Object.fromEntries(texts.map((text, index) => [`p${index}`, text])),
        });
        for (const question of questions) {
          const { message: _, ...decision } = { message: '', ...decide(policy, question) };
          seen.add(decision.allowed ? 'allowed' : decision.reason);
          asked += 1;
          expect(decision).toEqual(askCedar(question, asked % 10 === 0));
        }
      }),
      { numRuns: 100 },
    );

    expect(asked).toBeGreaterThanOrEqual(10_000);
    expect([...seen].sort()).toEqual([
      'allowed',
      'evaluation-error',
      'forbidden-by-policy',
      'no-policy-allows',
    ]);
  }, 240_000);

  it('one more forbid never allows what was denied', () => {
    const forbids = policyTexts.map((text) => text.replace(/^permit/, 'forbid'));

    fc.assert(
      fc.property(policies, forbids, requests, (texts, forbid, question) => {
        const before = load(texts);
        const after = load([...texts, forbid]);
        fc.pre(before !== undefined && after !== undefined);

        const answers = { before: decide(before, question).allowed, after: decide(after, question).allowed };
        expect(answers).not.toEqual({ before: false, after: true });
      }),
      { numRuns: 40 },
    );
  });

  it('step-up asks for nothing that would not help, and for no more than is needed', () => {
    const seen = new Set<string>();
    const mfa = { method: 'totp', ageSeconds: 0 };
    const approval = { count: 5, breakGlass: false };
    const given = { mfa: { mfa }, approval: { approval }, 'mfa-and-approval': { mfa, approval } };
    fc.assert(
      fc.property(policies, fc.array(requests, { minLength: 10, maxLength: 10 }), (texts, questions) => {
        const policy = load(texts);
        fc.pre(policy !== undefined);

        for (const { approval: before, ...question } of questions) {
          // Without a reason, what a good one would change is not known; that is told apart.
          const asked = {
            ...question,
            reason: question.reason === '' ? 'because' : (question.reason ?? 'because'),
          };
          const granted = before?.breakGlass === true ? { approval: { ...approval, breakGlass: true } } : {};
          const full = { ...asked, ...(before === undefined ? {} : { approval: before }) };
          const step = stepUp(policy, full);
          seen.add(step);
          if (step === 'none') continue;
          expect(decide(policy, full).allowed).toBe(false);
          expect(
            decide(policy, { ...full, ...given[step], ...(step === 'mfa' ? {} : granted) }).allowed,
          ).toBe(true);
          if (step === 'mfa-and-approval')
            expect(decide(policy, { ...full, ...given.mfa }).allowed).toBe(false);
        }
      }),
      { numRuns: 40 },
    );

    expect(seen).toContain('mfa');
    expect(seen).toContain('none');
  });

  it('a reason is asked for only where every forbid that stands in the way is about reasons', () => {
    fc.assert(
      fc.property(policies, requests, (texts, asked) => {
        const question = { ...asked, reason: '' };
        const policy = load(texts);
        fc.pre(policy !== undefined);
        if (!reasonMayHelp(policy, question)) return;

        const decision = decide(policy, question);
        expect(decision.allowed).toBe(false);
        for (const id of decision.policyIds)
          expect(policy.policies.find((each) => each.id === id)?.text).toContain('context');
      }),
      { numRuns: 40 },
    );
  });

  it('without policies, or for who and what no policy knows, the answer is no', () => {
    const anybody = fc.record({
      name: fc.string({ maxLength: 40 }),
      kind: fc.constantFrom<'person' | 'service'>('person', 'service'),
      groups: fc.array(
        fc.string({ maxLength: 10 }).filter((name) => !['eng', 'ops'].includes(name)),
        {
          maxLength: 3,
        },
      ),
    });
    const named = load([
      'permit (principal in Group::"eng", action, resource);',
      'permit (principal == User::"alice", action, resource);',
      'permit (principal, action, resource == Host::"web") when { principal in Group::"ops" };',
    ]);

    fc.assert(
      fc.property(requests, anybody, (question, identity) => {
        fc.pre(identity.name !== 'alice');

        expect(decide(undefined, question)).toMatchObject({ allowed: false, reason: 'policy-unavailable' });
        expect(decide(named, { ...question, identity }).allowed).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
});
