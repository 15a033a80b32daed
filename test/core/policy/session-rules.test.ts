import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadPolicy, rulesOf, type SessionRules, strictestRules } from '#core/policy';
import { policyOf } from './requests.ts';

function annotated(annotations: string, scope = 'principal, action, resource', effect = 'permit'): string {
  return `@id("p")\n${annotations}\n${effect} (${scope});`;
}

function firstProblem(text: string) {
  const loaded = loadPolicy([{ file: 'policy.cedar', text }]);
  return loaded.ok ? undefined : loaded.problems[0];
}

describe('the rules of a session', () => {
  it.each<[string, string, SessionRules]>([
    ['seconds', '@idle_timeout("90s")', { idleTimeoutMs: 90_000 }],
    ['minutes', '@idle_timeout("15m")', { idleTimeoutMs: 900_000 }],
    ['hours', '@max_duration("8h")', { maxDurationMs: 28_800_000 }],
    ['days', '@max_duration("14d")', { maxDurationMs: 14 * 86_400_000 }],
    ['sessions', '@max_sessions("3")', { maxSessions: 3 }],
    ['a reason', '@require_reason("true")', { requiresReason: true }],
    ['nothing', '@advice("x")', {}],
  ])('are read: %s', (_, annotations, rules) => {
    expect(rulesOf(policyOf(annotated(annotations)), ['p'])).toEqual(rules);
  });

  it.each([
    ['no unit', '@idle_timeout("15")', /time from 1s to 14d/],
    ['no time', '@idle_timeout("0m")', /time from 1s to 14d/],
    ['a fraction', '@idle_timeout("1.5h")', /time from 1s to 14d/],
    ['longer than a timer holds', '@max_duration("15d")', /time from 1s to 14d/],
    ['a number with many digits', '@max_duration("99999999999999999999d")', /time from 1s to 14d/],
    ['no value', '@max_sessions', /whole number from 1 to 10000/],
    ['no session at all', '@max_sessions("0")', /whole number from 1 to 10000/],
    ['a word for a number', '@max_sessions("three")', /whole number from 1 to 10000/],
    ['a reason that is not required', '@require_reason("false")', /"true"/],
    ['a misspelt name', '@idle_timout("15m")', /no annotation @idle_timout/],
    ['a name of nobody', '@owner("ops")', /no annotation @owner/],
  ])('are refused where they stand: %s', (_, annotation, message) => {
    const problem = firstProblem(
      `// @idle_timeout("x")\n${annotated(`@advice("@max_sessions(0)")  ${annotation}`)}`,
    );

    expect(problem).toMatchObject({ file: 'policy.cedar', line: 3, column: 30 });
    expect(problem?.message).toMatch(message);
  });

  it('are not for a forbid, and those of a login not for what comes after it', () => {
    const forbid = firstProblem(annotated('@max_duration("1h")', undefined, 'forbid'));
    const shell = firstProblem(
      annotated('@max_sessions("1")', 'principal, action == Action::"shell", resource'),
    );

    expect(forbid?.message).toContain('stands on a forbid');
    expect(shell?.message).toContain('not about connect');
    expect(
      firstProblem(annotated('@max_sessions("1")', 'principal, action in Action::"session", resource')),
    ).toBeUndefined();
  });

  it('are the strictest of all the policies that allowed it, and of no others', () => {
    const policy = policyOf(
      '@id("a") @idle_timeout("1h") @max_sessions("5") permit (principal, action, resource);',
      '@id("b") @idle_timeout("10m") @max_duration("8h") permit (principal, action, resource);',
      '@id("c") @idle_timeout("1s") @require_reason("true") permit (principal, action, resource);',
    );

    expect(rulesOf(policy, ['a', 'b'])).toEqual({
      idleTimeoutMs: 600_000,
      maxDurationMs: 28_800_000,
      maxSessions: 5,
    });
    expect(rulesOf(policy, [])).toEqual({});
    expect(rulesOf(undefined, ['a'])).toEqual({});
  });

  it('get no weaker by more of them', () => {
    const rules = fc.record(
      {
        idleTimeoutMs: fc.integer({ min: 1 }),
        maxDurationMs: fc.integer({ min: 1 }),
        maxSessions: fc.integer({ min: 1 }),
        requiresReason: fc.constant<true>(true),
      },
      { requiredKeys: [] },
    );

    fc.assert(
      fc.property(fc.array(rules, { maxLength: 4 }), rules, (some, more) => {
        const before = strictestRules(some);
        const after = strictestRules([...some, more]);

        for (const rule of ['idleTimeoutMs', 'maxDurationMs', 'maxSessions'] as const)
          expect(after[rule] ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(
            before[rule] ?? Number.POSITIVE_INFINITY,
          );
        expect(after.requiresReason ?? false).toBe(
          before.requiresReason === true || more.requiresReason === true,
        );
      }),
    );
  });
});
