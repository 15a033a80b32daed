import { describe, expect, it } from 'vitest';
import { explain, explanationText, reasonMayHelp, stepUp } from '#core/policy';
import { policyOf, request } from './requests.ts';

const permitAll = '@id("all") permit (principal, action, resource);';
const unless = (condition: string) =>
  policyOf(permitAll, `@id("f") forbid (principal, action, resource) unless { ${condition} };`);
const fresh = { method: 'totp', ageSeconds: 0 };

describe('step-up', () => {
  it.each([
    ['context.mfa', 'mfa'],
    ['context.approved', 'approval'],
    ['context.approvals >= 2', 'approval'],
    ['context.mfa && context.approved', 'mfa-and-approval'],
    ['context.mfa || context.approved', 'mfa'],
    ['context.breakGlass', 'none'],
    ['context.approvals >= 100', 'none'],
    ['context.mfaMethod == "fido2"', 'none'],
  ] as const)('for unless { %s } asks for %s', (condition, wanted) => {
    expect(stepUp(unless(condition), request())).toBe(wanted);
  });

  it('asks for what is still missing', () => {
    const both = unless('context.mfa && context.approvals >= 2');

    expect(stepUp(both, request({ mfa: fresh }))).toBe('approval');
    expect(stepUp(both, request({ approval: { count: 1, breakGlass: false } }))).toBe('mfa-and-approval');
    expect(stepUp(both, request({ approval: { count: 2, breakGlass: false } }))).toBe('mfa');
    expect(stepUp(both, request({ mfa: fresh, approval: { count: 2, breakGlass: false } }))).toBe('none');
  });

  it('says how many have to approve', () => {
    const two = unless('context.mfa && context.approvals >= 2');

    expect(explain(two, request()).approvalsNeeded).toBe(2);
    expect(explain(two, request({ approval: { count: 1, breakGlass: false } })).approvalsNeeded).toBe(2);
    expect(explain(unless('context.mfa'), request()).approvalsNeeded).toBe(0);
  });

  it('takes it that a missing reason will be a good one', () => {
    const policy = policyOf(
      permitAll,
      '@id("r") forbid (principal, action, resource) unless { context.reason like "INC-*" };',
      '@id("m") forbid (principal, action, resource) unless { context.mfa };',
    );

    expect(stepUp(policy, request())).toBe('mfa');
    expect(stepUp(policy, request({ mfa: fresh }))).toBe('none');
    expect(stepUp(policy, request({ reason: 'because' }))).toBe('none');
    expect(stepUp(policy, request({ reason: 'INC-7' }))).toBe('mfa');
  });
});

describe('an explanation', () => {
  const nothing = 'Neither a second factor nor an approval would change it';
  const alone = 'Break-glass would allow it in an emergency';

  it.each([
    ['context.breakGlass', [alone], [nothing]],
    ['context.approved || context.breakGlass', ['The approval of one person', alone], [nothing]],
    ['context.breakGlass && context.mfa', ['Break-glass and a second factor'], [nothing]],
    ['context.mfa || context.breakGlass', ['A second factor'], ['Break-glass']],
    ['context.approvals >= 100', [nothing], ['Break-glass']],
  ] as const)('of unless { %s } names every way in that there is', (condition, said, unsaid) => {
    const text = explanationText(explain(unless(condition), request()));

    for (const each of said) expect(text).toContain(each);
    for (const each of unsaid) expect(text).not.toContain(each);
  });
});

describe('a reason', () => {
  it('may help where a policy reads it and nothing else is missing', () => {
    const policy = unless('context.reason like "INC-*"');

    expect(reasonMayHelp(policy, request())).toBe(true);
    expect(reasonMayHelp(policy, request({ reason: 'INC-7' }))).toBe(false);
    expect(reasonMayHelp(policy, request({ reason: 'because' }))).toBe(false);
    expect(
      reasonMayHelp(
        policyOf('@id("p") permit (principal, action, resource) when { context.reason != "" };'),
        request(),
      ),
    ).toBe(true);
  });

  it('does not help against a forbid that does not read it, or without a permit', () => {
    const never = policyOf(
      permitAll,
      '@id("r") forbid (principal, action, resource) unless { context.reason like "INC-*" };',
      '@id("f") forbid (principal, action, resource);',
    );
    const noPermit = policyOf(
      '@id("r") forbid (principal, action, resource) unless { context.reason != "" };',
    );

    expect(reasonMayHelp(never, request())).toBe(false);
    expect(reasonMayHelp(noPermit, request())).toBe(false);
    expect(reasonMayHelp(undefined, request())).toBe(false);
  });
});
