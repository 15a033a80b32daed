import { describe, expect, it } from 'vitest';
import {
  decide,
  explain,
  explanationText,
  type PolicyRequest,
  policyActionNames,
  stepUp,
} from '#core/policy';
import { auditTrail } from '../../../core/policy/policy-request.ts';
import { policyOf, production, request } from './requests.ts';

const permitAll = '@id("all") permit (principal, action, resource);';

function permitWhen(condition: string, action = 'action'): string {
  return `@id("p") permit (principal, ${action}, resource) when { ${condition} };`;
}

describe('a decision', () => {
  it('is no where no policy was read', () => {
    expect(decide(undefined, request())).toMatchObject({ allowed: false, reason: 'policy-unavailable' });
  });

  it('is no where no policy allows it, and says so in one sentence', () => {
    const decision = decide(policyOf(permitWhen('context.login == "other"')), request());

    expect(decision).toEqual({
      allowed: false,
      reason: 'no-policy-allows',
      policyIds: [],
      message: 'no policy allows that alice opens a shell as deploy on web-1',
    });
  });

  it('names the policies that allow', () => {
    expect(decide(policyOf(permitAll, permitWhen('context.hour == 10')), request())).toEqual({
      allowed: true,
      policyIds: ['all', 'p'],
    });
  });

  it('names the policies that forbid, with their advice', () => {
    const policy = policyOf(permitAll, '@id("f")@advice("use sudo") forbid (principal, action, resource);');

    expect(decide(policy, request())).toEqual({
      allowed: false,
      reason: 'forbidden-by-policy',
      policyIds: ['f'],
      message: 'policy "f" forbids that alice opens a shell as deploy on web-1; use sudo',
    });
  });

  it('is no when a policy fails, even where another one allows', () => {
    const policy = policyOf(
      permitAll,
      '@id("f") forbid (principal, action, resource) when { context.hour + 9223372036854775807 > 0 };',
    );

    expect(decide(policy, request())).toMatchObject({
      allowed: false,
      reason: 'evaluation-error',
      policyIds: ['f'],
    });
  });

  it('is no for an action, an address or a time that is none', () => {
    const policy = policyOf(permitWhen('context.sourceIp.isIpv4() || true'));
    const bad = [{ sourceIp: 'localhost' }, { nowMs: Number.NaN }] satisfies Partial<PolicyRequest>[];
    const parsed: PolicyRequest = JSON.parse(JSON.stringify({ ...request(), action: { kind: 'toString' } }));

    expect([...bad.map((changes) => decide(policy, request(changes))), decide(policy, parsed)]).toEqual(
      Array(3).fill(expect.objectContaining({ allowed: false, reason: 'evaluation-error' })),
    );
  });

  it('does not let a login or command write to the terminal or the log', () => {
    const hostile = request({
      login: 'root\u001b]0;x\u0007\r\nallowed\u202e',
      action: { kind: 'exec', command: 'mysql -psecret' },
    });
    const decision = decide(policyOf(permitWhen('context.hour == 3')), hostile);

    expect(decision.allowed ? '' : decision.message).toBe(
      'no policy allows that alice runs this command as root\\u{1b}]0;x\\u{7}\\u{d}\\u{a}allowed\\u{202e} on web-1',
    );
  });

  it.each<[string, string, Partial<PolicyRequest>, boolean]>([
    ['ok/label as group', 'resource in HostGroup::"env=prod"', { target: production }, true],
    ['fail/label as group', 'resource in HostGroup::"env=prod"', {}, false],
    [
      'ok/label as tag',
      'resource.hasTag("team") && resource.getTag("team") == "pay"',
      { target: production },
      true,
    ],
    ['fail/label as tag', 'resource.hasTag("team") && resource.getTag("team") == "pay"', {}, false],
    ['ok/group', 'principal in Group::"engineers"', {}, true],
    ['ok/kind', 'principal.kind == "person"', {}, true],
    [
      'ok/host',
      'resource.host like "*.example.com" && resource.port == 22 && resource.name == "web-1"',
      {},
      true,
    ],
    ['ok/source', 'context.sourceIp.isInRange(ip("192.0.2.0/24"))', {}, true],
    [
      'ok/source in IPv6 form',
      'context.sourceIp.isInRange(ip("192.0.2.0/24"))',
      { sourceIp: '::ffff:192.0.2.7' },
      true,
    ],
    [
      'ok/source in hex form',
      'context.sourceIp.isInRange(ip("192.0.2.0/24"))',
      { sourceIp: '::FFFF:c000:207' },
      true,
    ],
    [
      'ok/source with a zone',
      'context.sourceIp.isInRange(ip("fe80::/10"))',
      { sourceIp: 'fe80::1%eth0' },
      true,
    ],
    ['fail/source', 'context.sourceIp.isInRange(ip("192.0.2.0/24"))', { sourceIp: '198.51.100.7' }, false],
    ['ok/hour and day', 'context.hour == 10 && context.dayOfWeek == 5', {}, true],
    ['ok/Sunday is 7', 'context.dayOfWeek == 7', { nowMs: Date.UTC(2026, 10, 22) }, true],
    ['ok/until', 'context.time < datetime("2026-11-21")', {}, true],
    ['fail/until', 'context.time < datetime("2026-11-20")', {}, false],
    ['ok/reason', 'context.reason like "INC-*"', { reason: 'INC-7' }, true],
    ['fail/no reason', 'context.reason != ""', {}, false],
    [
      'ok/approved',
      'context.approved && context.approvals == 2 && !context.breakGlass',
      { approval: { count: 2, breakGlass: false } },
      true,
    ],
    ['fail/not approved', 'context.approved || context.approvals > 0 || context.breakGlass', {}, false],
    [
      'ok/break-glass is no approval',
      'context.breakGlass && !context.approved',
      { approval: { count: 0, breakGlass: true } },
      true,
    ],
    ['ok/sessions', 'context has sessionCount && context.sessionCount < 4', { sessionCount: 3 }, true],
    [
      'fail/sessions that were not counted',
      'context has sessionCount && context.sessionCount < 4',
      {},
      false,
    ],
    [
      'ok/fresh factor',
      'context.mfa && context.mfaAgeSeconds < 60',
      { mfa: { method: 'totp', ageSeconds: 59.9 } },
      true,
    ],
    ['fail/old factor', 'context.mfaAgeSeconds < 60', { mfa: { method: 'totp', ageSeconds: 60 } }, false],
    ['fail/no factor is never young', 'context.mfaAgeSeconds < 31536000', {}, false],
    ['ok/method', 'context.mfaMethod == "fido2"', { mfa: { method: 'fido2', ageSeconds: 0 } }, true],
  ])('%s', (_, condition, changes, allowed) => {
    expect(decide(policyOf(permitWhen(condition)), request(changes)).allowed).toBe(allowed);
  });

  it.each<[string, string, PolicyRequest['action'], boolean]>([
    [
      'ok/command',
      'context.command like "systemctl *"',
      { kind: 'exec', command: 'systemctl restart pay' },
      true,
    ],
    [
      'ok/program',
      'context has program && context.program == "uptime"',
      { kind: 'command', command: 'uptime', program: 'uptime' },
      true,
    ],
    ['fail/program unknown', 'context has program', { kind: 'exec', command: '$(x)' }, false],
    ['ok/subsystem', 'context.subsystem == "sftp"', { kind: 'subsystem', subsystem: 'sftp' }, true],
    ['ok/path', 'context has path && context.path like "/srv/*"', { kind: 'download', path: '/srv/a' }, true],
    ['fail/no path', 'context has path', { kind: 'upload' }, false],
    [
      'ok/destination',
      'context.host == "db" && context.port == 5432',
      { kind: 'forwardLocal', destination: { kind: 'tcp', host: 'db', port: 5432 } },
      true,
    ],
    [
      'ok/socket',
      'context.path == "/run/x.sock" && context.port == 0',
      { kind: 'forwardRemote', destination: { kind: 'unix', path: '/run/x.sock' } },
      true,
    ],
  ])('%s', (_, condition, action, allowed) => {
    const policy = policyOf(permitWhen(condition, `action == Action::"${action.kind}"`));

    expect(decide(policy, request({ action })).allowed).toBe(allowed);
  });

  it('knows the groups of actions', () => {
    const policy = policyOf(
      '@id("p") permit (principal, action in [Action::"transfer", Action::"forward"], resource);',
    );
    const actions: PolicyRequest['action'][] = [
      { kind: 'connect' },
      { kind: 'shell' },
      { kind: 'exec', command: 'x' },
      { kind: 'command', command: 'x' },
      { kind: 'subsystem', subsystem: 'x' },
      { kind: 'upload' },
      { kind: 'download' },
      { kind: 'forwardLocal', destination: { kind: 'tcp', host: 'x', port: 1 } },
      { kind: 'forwardRemote', destination: { kind: 'tcp', host: 'x', port: 1 } },
      { kind: 'forwardAgent' },
      { kind: 'forwardX11' },
      { kind: 'approve' },
      { kind: 'revoke' },
      { kind: 'viewRecording' },
      { kind: 'query' },
      { kind: 'export' },
    ];

    expect(actions.map((action) => action.kind)).toEqual(policyActionNames);
    expect(
      actions.filter((action) => decide(policy, request({ action })).allowed).map(({ kind }) => kind),
    ).toEqual(policyActionNames.slice(5, 11));
  });

  it('stays right when more different questions are asked than answers are kept ready', () => {
    const groups = Array.from({ length: 11 }, (_, index) => `g-${index + 10}`);
    const policy = policyOf(
      groups
        .map(
          (name) =>
            `@id("${name}") permit (principal in Group::"${name}", action == Action::"shell", resource);`,
        )
        .join('\n'),
    );
    const subsets = Array.from({ length: 1100 }, (_, bits) =>
      groups.filter((_name, index) => (bits >> index) & 1),
    );

    const answers = [...subsets, ...subsets.slice(0, 100)].map(
      (mine) =>
        decide(policy, request({ identity: { name: 'alice', kind: 'person', groups: mine } })).policyIds,
    );

    expect(answers).toEqual([...subsets, ...subsets.slice(0, 100)]);
  });
});

describe('step-up', () => {
  const needsFactor = policyOf(
    permitAll,
    '@id("f") forbid (principal, action, resource in HostGroup::"env=prod") unless { context.mfa && context.mfaAgeSeconds < 900 };',
  );

  it('asks for a second factor where one would help', () => {
    expect(stepUp(needsFactor, request({ target: production }))).toBe('mfa');
    expect(
      stepUp(needsFactor, request({ target: production, mfa: { method: 'totp', ageSeconds: 901 } })),
    ).toBe('mfa');
  });

  it('asks for nothing where the answer is yes, or no either way', () => {
    const never = policyOf(permitAll, '@id("f") forbid (principal, action, resource);');

    expect(stepUp(needsFactor, request())).toBe('none');
    expect(stepUp(never, request())).toBe('none');
    expect(stepUp(undefined, request())).toBe('none');
  });

  it('asks for no code where only a security key would do', () => {
    const keyOnly = policyOf(permitWhen('context.mfaMethod == "fido2"'));

    expect(stepUp(keyOnly, request())).toBe('none');
    expect(stepUp(keyOnly, request(), 'fido2')).toBe('mfa');
  });
});

describe('an explanation', () => {
  const explained = (...asked: Parameters<typeof explain>) => explanationText(explain(...asked));

  it('shows the policies that decided where they stand, and what would change the answer', () => {
    const policy = policyOf(
      permitAll,
      '// one line\n@id("f")\nforbid (principal, action, resource)\nunless { context.mfa };',
    );

    expect(explained(policy, request())).toBe(
      [
        'denied (forbidden-by-policy): policy "f" forbids that alice connects as deploy on web-1',
        '',
        'forbid "f" at 1.cedar:2',
        '  @id("f")',
        '  forbid (principal, action, resource)',
        '  unless { context.mfa };',
        '',
        'A second factor, proved now, would allow it.',
        '',
        `policy version ${policy.version.slice(0, 12)}`,
        '',
      ].join('\n'),
    );
    expect(explained(policy, request({ mfa: { method: 'totp', ageSeconds: 1 } }))).toContain(
      'allowed: alice may open a shell as deploy on web-1',
    );
    expect(explained(undefined, request())).toContain('Nothing is allowed');
  });

  it('tells of a session what it has to keep to', () => {
    const policy = policyOf(
      '@id("p") @idle_timeout("15m") @max_duration("1h") @max_sessions("3") @require_reason("true") permit (principal, action, resource);',
    );

    expect(explained(policy, request())).toContain(
      [
        'The engineer is asked for a reason.',
        'It ends after 15 minutes without input.',
        'It ends 1 hour after its start.',
        'The identity has at most 3 sessions at once.',
      ].join('\n'),
    );
  });

  it('asks about a command that ssh is given twice, as the gateway does', () => {
    const policy = policyOf(permitAll, '@id("f") forbid (principal, action == Action::"command", resource);');
    const { decision, request: answered } = explain(
      policy,
      request({ action: { kind: 'exec', command: 'uptime' } }),
    );

    expect([decision.allowed, answered.action.kind]).toEqual([false, 'command']);
  });
});

describe('oversight', () => {
  const policy = policyOf(
    '@id("approve") permit (principal in Group::"engineers", action in [Action::"approve", Action::"revoke"], resource in HostGroup::"env=staging") when { context.login == "deploy" };',
    '@id("look") permit (principal, action in [Action::"viewRecording", Action::"query"], resource == System::"sshtrail");',
    '@id("all") permit (principal in Group::"engineers", action == Action::"revoke", resource is System);',
    '@id("port") permit (principal, action, resource) when { resource.port == 2222 || (resource.hasTag("a") && resource.getTag("a") == "b") };',
  );

  it.each([
    ['approve', { ...request(), action: { kind: 'approve' } }, ['approve']],
    ['revoke', { ...request(), action: { kind: 'revoke' } }, ['approve']],
    ['approve on another target', request({ action: { kind: 'approve' }, target: production }), []],
    ['revoke on another target', request({ action: { kind: 'revoke' }, target: production }), []],
    ['revoke everywhere', request({ action: { kind: 'revoke', everywhere: true }, ...auditTrail }), ['all']],
    [
      'revoke on a target of that name',
      request({ action: { kind: 'revoke' }, target: { ...auditTrail.target, labels: {} } }),
      [],
    ],
    ['query', request({ action: { kind: 'query' }, ...auditTrail }), ['look']],
    ['viewRecording', request({ action: { kind: 'viewRecording' }, ...auditTrail }), ['look']],
    ['export', request({ action: { kind: 'export' }, ...auditTrail }), []],
  ] satisfies [string, PolicyRequest, string[]][])('is policy, too: %s', (_, asked, policyIds) => {
    const decision = decide(policy, asked);

    expect([decision.allowed, decision.policyIds]).toEqual([policyIds.length > 0, policyIds]);
  });

  it.each([
    [
      request({ action: { kind: 'revoke' }, target: production }),
      'ends the session of somebody as deploy on db-1',
    ],
    [request({ action: { kind: 'revoke' }, target: production, login: '' }), 'of somebody on db-1'],
    [request({ action: { kind: 'revoke', everywhere: true }, ...auditTrail }), 'of somebody on any target'],
  ])('says what is not allowed', (asked, sentence) => {
    const decision = decide(
      policyOf('@id("none") permit (principal == User::"x", action, resource);'),
      asked,
    );

    expect(decision).toMatchObject({ message: expect.stringMatching(new RegExp(`${sentence}$`)) });
  });
});
