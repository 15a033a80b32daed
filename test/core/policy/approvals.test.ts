import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { approvalsNeeded, decide, stepUp } from '#core/policy';
import { policyOf, production, request } from './requests.ts';

const approved = policyOf(
  `@id("approved") permit (principal, action, resource) when { context.approved };`,
  `@id("two") forbid (principal, action, resource in HostGroup::"team=pay") unless { context.approvals >= 2 || context.breakGlass };`,
);
const code = (method = 'totp') => ({ method, ageSeconds: 0 });
const by = (count: number) => ({ count, breakGlass: false });
const glass = { count: 0, breakGlass: true };

describe('an approval', () => {
  test('is what a policy reads of it', () => {
    expect(decide(approved, request()).allowed).toBe(false);
    expect(decide(approved, request({ approval: by(1) })).allowed).toBe(true);
    expect(decide(approved, request({ approval: by(1), target: production })).allowed).toBe(false);
    expect(decide(approved, request({ approval: by(2), target: production })).allowed).toBe(true);
  });

  test('is none where the glass was broken, until somebody approved it', () => {
    expect(decide(approved, request({ approval: glass })).allowed).toBe(false);
    expect(
      decide(approved, request({ approval: { count: 1, breakGlass: true }, target: production })).allowed,
    ).toBe(true);
  });

  test('is read in the context of every action', () => {
    const actions = [
      { kind: 'exec', command: 'id' },
      { kind: 'command', command: 'id' },
      { kind: 'subsystem', subsystem: 'sftp' },
      { kind: 'upload', path: '/tmp/x' },
      { kind: 'forwardLocal', destination: { kind: 'tcp', host: 'db', port: 1 } },
      { kind: 'forwardAgent' },
      { kind: 'approve' },
    ] as const;

    for (const action of actions) {
      expect(decide(approved, request({ action })).allowed, action.kind).toBe(false);
      expect(decide(approved, request({ action, approval: by(1) })).allowed, action.kind).toBe(true);
    }
  });
});

describe('what to ask for', () => {
  const both = policyOf(
    `@id("both") permit (principal, action, resource) when { context.approved && context.mfa };`,
  );
  const either = policyOf(
    `@id("code") permit (principal, action, resource) when { context.mfa };`,
    `@id("approved") permit (principal, action, resource) when { context.approved };`,
  );

  test.each([
    ['an approval', approved, request(), 'approval'],
    ['an approval by two', approved, request({ target: production }), 'approval'],
    ['a code and an approval', both, request(), 'mfa-and-approval'],
    ['an approval, the code being there', both, request({ mfa: code() }), 'approval'],
    ['a code, which is less', either, request(), 'mfa'],
    ['nothing, since it is allowed', approved, request({ approval: by(1) }), 'none'],
    [
      'nothing, since nothing helps',
      policyOf(`@id("no") forbid (principal, action, resource);`),
      request(),
      'none',
    ],
  ] as const)('is %s', (_, policy, asked, expected) => {
    expect(stepUp(policy, asked)).toBe(expected);
  });

  test('is as many people as are needed, and no number where none would do', () => {
    expect(approvalsNeeded(approved, request())).toBe(1);
    expect(approvalsNeeded(approved, request({ target: production }))).toBe(2);
    expect(approvalsNeeded(both, request())).toBeUndefined();
    expect(approvalsNeeded(undefined, request())).toBeUndefined();
  });

  test('is never in vain', () => {
    const conditions = ['context.approved', 'context.approvals >= 3', 'context.mfa', 'context.breakGlass'];
    const statement = fc.tuple(
      fc.constantFrom('permit', 'forbid'),
      fc.constantFrom('when', 'unless'),
      fc.constantFrom(...conditions),
      fc.constantFrom(...conditions),
    );
    fc.assert(
      fc.property(fc.array(statement, { minLength: 1, maxLength: 4 }), (statements) => {
        const policy = policyOf(
          ...statements.map(
            ([effect, word, one, other], index) =>
              `@id("p${index}") ${effect} (principal, action, resource) ${word} { ${one} && ${other} };`,
          ),
        );
        const wanted = stepUp(policy, request());
        const mfa = wanted === 'mfa' || wanted === 'mfa-and-approval' ? { mfa: code() } : {};
        const needed = approvalsNeeded(policy, request(mfa));
        const approval =
          needed !== undefined && (wanted === 'approval' || wanted === 'mfa-and-approval')
            ? { approval: by(needed) }
            : {};
        if (wanted !== 'none') expect(decide(policy, request({ ...mfa, ...approval })).allowed).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
