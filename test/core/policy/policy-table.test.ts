import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePolicyTable, runPolicyTable } from '#core/policy';
import { policyOf } from './requests.ts';

const policy = policyOf(`
@id("work") @idle_timeout("15m") permit (principal in Group::"engineers", action in [Action::"session", Action::"transfer"], resource);
@id("prod") forbid (principal, action, resource in HostGroup::"env=prod") unless { context.mfa && context.approvals >= 2 };
@id("no-reboot") forbid (principal, action == Action::"command", resource) when { context.command == "reboot" };
@id("night") forbid (principal, action == Action::"connect", resource) when { context.hour >= 22 };
@id("desk") permit (principal in Group::"auditors", action == Action::"revoke", resource) when { context.login != "root" };
@id("audit") permit (principal in Group::"auditors", action in [Action::"query", Action::"export"], resource);
`);

const names = `
users:
  dora: { groups: [engineers] }
  omar: { groups: [auditors] }
targets:
  web: { labels: { env: staging }, logins: [deploy] }
  db: { labels: { env: prod } }
`;

function misses(test: string): readonly string[] {
  const parsed = parsePolicyTable(`${names}tests:\n  - ${test}\n`, 'tests.yaml');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const [result] = runPolicyTable(
    policy,
    parsed.table,
    { identities: [], targets: [] },
    Date.UTC(2026, 10, 20, 12),
  );
  return result?.misses ?? ['there was no result'];
}

describe('a table of tests', () => {
  it.each([
    '{ user: dora, target: web, login: deploy, action: shell, expect: allow, because: work }',
    '{ user: dora, target: db, login: deploy, action: shell, expect: deny, because: prod, stepUp: mfa-and-approval }',
    '{ user: dora, target: db, login: deploy, action: shell, mfa: totp, approvals: 1, expect: deny, stepUp: approval }',
    '{ user: dora, target: db, login: deploy, action: shell, mfa: totp, approvals: 2, expect: allow }',
    '{ user: dora, target: web, login: deploy, action: exec, command: "true; sudo reboot", expect: deny, because: no-reboot }',
    '{ user: dora, target: web, login: deploy, action: shell, at: "2026-11-20T23:00:00+01:00", expect: deny, because: night }',
    '{ user: dora, target: web, login: deploy, action: forwardLocal, destination: "[2001:db8::1]:22", expect: deny, because: no-policy-allows }',
    '{ user: dora, target: web, login: root, action: shell, expect: deny, because: login-not-listed }',
    '{ user: dora, target: wbe, login: deploy, action: shell, expect: deny, because: unknown-target }',
    '{ user: omar, action: query, expect: allow, because: audit }',
    '{ user: omar, action: revoke, expect: allow, because: desk }',
    '{ user: omar, target: web, action: revoke, expect: allow, because: desk }',
    '{ user: omar, target: db, action: revoke, mfa: iam, approvals: 2, expect: allow, because: desk }',
    '{ user: omar, target: db, login: root, action: revoke, expect: deny, because: prod }',
    '{ user: omar, target: wbe, action: revoke, expect: deny, because: unknown-target }',
    '{ user: dora, action: export, expect: deny, because: no-policy-allows, stepUp: none }',
  ])('is met: %s', (test) => {
    expect(misses(test)).toEqual([]);
  });

  it.each([
    ['{ user: dora, target: web, login: deploy, action: shell, expect: deny }', /expected deny, got allow/],
    [
      '{ user: dora, target: db, login: deploy, action: shell, expect: allow }',
      /expected allow, got deny \(forbidden-by-policy\)/,
    ],
    [
      '{ user: dora, target: web, login: deploy, action: shell, expect: allow, because: other }',
      /because of other, got work/,
    ],
    [
      '{ user: dora, target: db, login: deploy, action: shell, expect: deny, stepUp: mfa }',
      /step-up mfa, got mfa-and-approval/,
    ],
    [
      '{ user: dora, target: wbe, login: deploy, action: shell, expect: allow }',
      /unknown-target.*did you mean "web"/,
    ],
    [
      '{ user: doar, target: web, login: deploy, action: shell, expect: deny }',
      /no user "doar"; did you mean "dora"/,
    ],
    ['{ user: dora, action: shell, expect: deny }', /needs a target and a login/],
    ['{ user: omar, login: deploy, action: revoke, expect: allow }', /needs a target/],
    ['{ user: omar, target: web, login: deploy, action: query, expect: allow }', /audit trail as a whole/],
    ['{ user: dora, target: web, login: deploy, action: exec, expect: allow }', /needs a command/],
    [
      '{ user: dora, target: web, login: deploy, action: shell, command: ls, expect: allow }',
      /command does not belong to shell/,
    ],
    [
      '{ user: dora, target: web, login: deploy, action: shell, mfaAgeSeconds: 5, expect: allow }',
      /age of a factor/,
    ],
  ])('is missed: %s', (test, miss) => {
    expect(misses(test).join('\n')).toMatch(miss);
  });

  it.each([
    ['a word that is none', `${names}tests:\n  - { user: dora, actoin: shell, expect: deny }\n`, 9],
    [
      'an expectation that is none',
      `${names}tests:\n  - { user: dora, action: shell, expect: perhaps }\n`,
      9,
    ],
    ['no test', `${names}tests: []\n`, 8],
    ['an alias', 'users: &a {}\ntargets: *a\ntests: []\n', 1],
    ['no YAML', 'tests: [', 1],
    ['nothing', '', 1],
  ])('is refused with its place: %s', (_, text, line) => {
    const parsed = parsePolicyTable(text, 'tests.yaml');

    expect(parsed).toMatchObject({
      ok: false,
      problems: [{ file: 'tests.yaml', line }, ...(parsed.ok ? [] : parsed.problems.slice(1))],
    });
  });

  it('that is any bytes is refused without a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const parsed = parsePolicyTable(Buffer.from(bytes).toString('utf8'), 'tests.yaml');

        expect(parsed.ok).toBe(false);
      }),
    );
  });
});
