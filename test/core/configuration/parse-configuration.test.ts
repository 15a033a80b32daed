import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  configurationJsonSchema,
  formatProblems,
  type Problem,
  parseConfiguration,
  schemaModeline,
} from '#core/configuration';
import { badKeyLines, ed25519Line, goodKeyLines, sample, totpSecret } from './sample.ts';

function problemsOf(text: string): readonly Problem[] {
  const parsed = parseConfiguration(text, 'sshtrail.yaml');
  return parsed.ok ? [] : parsed.problems;
}

/** The sample with a text in it replaced. */
function changed(from: string, to: string): string {
  expect(sample).toContain(from);
  return sample.replace(from, to);
}

describe('a good configuration', () => {
  it('is read with every default filled in', () => {
    const parsed = parseConfiguration(sample, 'sshtrail.yaml');

    expect(parsed).toEqual({
      ok: true,
      configuration: {
        gateway: {
          listen: { host: '127.0.0.1', port: 2222 },
          proxyId: 'p-local',
          eventSource: 'ssh-proxy.local',
          region: 'local',
          account: '000000000000',
          algorithms: 'modern',
          loginGraceSeconds: 30,
          mfaGraceSeconds: 300,
          maxAuthAttempts: 6,
          maxKeyOffers: 20,
          maxBytesBeforeKeys: 262_144,
          maxNoiseBeforeKeys: 32,
          maxSessions: 1000,
          maxConnectionsPerSource: 100,
          maxStartsPerSourcePerMinute: 300,
          maxStartups: { begin: 200, ratePercent: 30, full: 1000 },
          keepalive: { seconds: 60, maxUnanswered: 3 },
          maxChannelsPerConnection: 100,
          maxForwards: 256,
          maxUnansweredRequests: 256,
          maxUnansweredChannelRequests: 64,
          maxBacklogBytes: 16_777_216,
          writeStallSeconds: 60,
          control: { unreadableSeconds: 30, onUnreadable: 'keep' },
          drainSeconds: 30,
          rekeyBytes: 1_073_741_824,
          rekeySeconds: 3600,
          workers: 1,
        },
        identities: [
          {
            name: 'alice',
            type: 'person',
            groups: ['engineers'],
            keys: [ed25519Line(1)],
            totp: { kind: 'secret', secret: totpSecret },
            principalId: 'alice',
          },
          {
            name: 'deployer',
            type: 'service',
            groups: [],
            keys: [ed25519Line(2)],
            sources: ['192.0.2.0/24'],
            principalId: 'deployer',
          },
        ],
        trustedUserAuthorities: [],
        targets: [
          {
            name: 'web-1',
            host: 'web-1.example.com',
            port: 22,
            labels: { env: 'prod' },
            hostTrust: { kind: 'pinned', keys: [ed25519Line(3)] },
          },
        ],
        policies: { files: ['policy.cedar'] },
        userAuthority: { keyFile: 'keys/user-ca', validForSeconds: 60, backdateSeconds: 30 },
        hostKeys: { files: ['keys/host'] },
        access: { waitSeconds: 300, requestSeconds: 3600, grantSeconds: 3600, maxGrantSeconds: 28_800 },
        recording: { onFailure: 'close' },
        redaction: { defaults: true, rules: [] },
        evidence: { keyFile: 'keys/evidence.pem', digestEverySeconds: 300, digestEveryRecords: 10_000 },
        runbooks: { settings: {} },
        notify: {},
      },
    });
  });

  it('may trust targets by an authority, whose certificates must name the host', () => {
    const parsed = parseConfiguration(
      changed(`hostKeys: ['${ed25519Line(3)}']`, `hostAuthority: { keys: ['${ed25519Line(4)} ca'] }`),
      'x',
    );

    expect(parsed).toMatchObject({
      configuration: {
        targets: [
          { hostTrust: { kind: 'authority', keys: [ed25519Line(4)], principals: ['web-1.example.com'] } },
        ],
      },
    });
  });

  it('sets runbooks by their id', () => {
    const parsed = parseConfiguration(
      `${sample}runbooks:\n  directory: my-runbooks\n  SSH-002: { mode: auto, inputs: { grace: 5m, limit: 3, page: true } }\n  SSH-003: {}\n`,
      'x',
    );

    expect(parsed).toMatchObject({
      configuration: {
        runbooks: {
          directory: 'my-runbooks',
          settings: {
            'SSH-002': { mode: 'auto', inputs: { grace: '5m', limit: 3, page: true } },
            'SSH-003': { mode: 'dry-run', inputs: {} },
          },
        },
      },
    });
  });

  it.each(goodKeyLines)('takes the key line %s', (line) => {
    expect(
      problemsOf(
        changed(`'${ed25519Line(1)} alice@laptop'`, `'${line}'`).replace(ed25519Line(2), ed25519Line(9)),
      ),
    ).toEqual([]);
  });

  it('is the example of the guide', () => {
    const guide = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
    const [, example = ''] = /```yaml\n(# yaml-language-server[\s\S]*?)```/.exec(guide) ?? [];

    expect(problemsOf(example)).toEqual([]);
    expect(example.split('\n')[0]).toBe(schemaModeline('./schema/sshtrail.schema.json'));
  });
});

describe('a wrong configuration', () => {
  it.each<[string, string, string, string, string, RegExp, RegExp]>([
    ['unknown key', 'policies: {', 'polices: {', '15:1', 'polices', /not known/, /did you mean policies/],
    ['unknown key within', '    groups:', '    group:', '3:5', 'identities[0].group', /not known/, /groups/],
    [
      'unknown key far from any',
      '    groups:',
      '    zzzzzz:',
      '3:5',
      'identities[0].zzzzzz',
      /not known/,
      /known are name, type/,
    ],
    [
      'missing part',
      'userAuthority: { keyFile: keys/user-ca }\n',
      '',
      '1:1',
      'userAuthority',
      /missing/,
      /a mapping: Targets trust/,
    ],
    ['missing value', '    host: web-1.example.com\n', '', '11:5', 'targets[0].host', /missing/, /text/],
    ['empty value', 'host: web-1.example.com', 'host:', '12:10', 'targets[0].host', /empty/, /value/],
    [
      'number for text',
      'labels: { env: prod }',
      'labels: { env: 7 }',
      '13:20',
      'targets[0].labels.env',
      /not text/,
      /quotes/,
    ],
    [
      'text for list',
      'groups: [engineers]',
      'groups: engineers',
      '3:13',
      'identities[0].groups',
      /not a list/,
      /brackets/,
    ],
    [
      'wrong choice',
      'type: service',
      'type: servise',
      '7:11',
      'identities[1].type',
      /not one of/,
      /did you mean service/,
    ],
    ['target name', 'name: web-1', 'name: Web_1!', '11:11', 'targets[0].name', /target name/, /a-z/],
    [
      'target name that is an option',
      'name: web-1',
      "name: '-oProxyCommand=x'",
      '11:11',
      'targets[0].name',
      /target name/,
      /./,
    ],
    [
      'host that is an option',
      'host: web-1.example.com',
      "host: '-oProxyCommand=x'",
      '12:11',
      'targets[0].host',
      /host name/,
      /./,
    ],
    ['port', 'labels: { env: prod }', 'port: 70000', '13:11', 'targets[0].port', /too large/, /65535/],
    [
      'label with control characters',
      'env: prod',
      'env: "a\\u001bb"',
      '13:20',
      'targets[0].labels.env',
      /control/,
      /plain/,
    ],
    [
      'label name',
      '{ env: prod }',
      "{ 'a b': x }",
      '13:15',
      'targets[0].labels."a b"',
      /not a label/,
      /letters/,
    ],
    [
      'same name twice',
      'name: deployer',
      'name: Alice',
      '6:11',
      'identities[1].name',
      /already identities\[0\]/,
      /own/,
    ],
    [
      'same key twice',
      ed25519Line(2),
      `${ed25519Line(1)} other`,
      '9:12',
      'identities[1].keys[0]',
      /same key as identities\[0\].keys\[0\]/,
      /one identity/,
    ],
    [
      'no key at all',
      `keys: ['${ed25519Line(1)} alice@laptop']`,
      'keys: []',
      '2:5',
      'identities[0]',
      /no key/,
      /trustedUserAuthorities/,
    ],
    [
      'no host trust',
      `    hostKeys: ['${ed25519Line(3)}']\n`,
      '',
      '11:5',
      'targets[0]',
      /neither/,
      /ssh-keyscan -t ed25519 -p 22 web-1\.example\.com/,
    ],
    [
      'both host trusts',
      '    labels:',
      `    hostAuthority: { keys: ['${ed25519Line(5)}'] }\n    labels:`,
      '11:5',
      'targets[0]',
      /both/,
      /keep/,
    ],
    [
      'empty host keys',
      `['${ed25519Line(3)}']`,
      '[]',
      '14:15',
      'targets[0].hostKeys',
      /empty/,
      /ssh-keyscan/,
    ],
    ['no policy', 'files: [policy.cedar]', 'files: []', '15:20', 'policies.files', /empty/, /\.cedar/],
    [
      'authority key as host key',
      'files: [keys/host]',
      'files: [keys/user-ca]',
      '17:21',
      'hostKeys.files[0]',
      /userAuthority/,
      /ssh-keygen/,
    ],
    [
      'certificate valid for no time',
      'keys/user-ca }',
      'keys/user-ca, validForSeconds: 0 }',
      '16:58',
      'userAuthority.validForSeconds',
      /too small/,
      /10/,
    ],
    [
      'account without quotes',
      'identities:',
      'gateway: { account: 123456789012 }\nidentities:',
      '1:21',
      'gateway.account',
      /not text/,
      /quotes/,
    ],
    [
      'runbook id',
      'policies:',
      'runbooks: { ssh-002: {} }\npolicies:',
      '15:13',
      'runbooks.ssh-002',
      /runbook id/,
      /SSH-002/,
    ],
    [
      'runbook mode',
      'policies:',
      'runbooks: { SSH-002: { mode: auot } }\npolicies:',
      '15:30',
      'runbooks.SSH-002.mode',
      /not one of/,
      /did you mean auto/,
    ],
    [
      'runbook input',
      'policies:',
      'runbooks: { SSH-002: { inputs: { grace: [1] } } }\npolicies:',
      '15:41',
      'runbooks.SSH-002.inputs.grace',
      /neither/,
      /single/,
    ],
    [
      'webhook in clear',
      'policies:',
      'notify: { webhook: "http://example.com/x" }\npolicies:',
      '15:20',
      'notify.webhook',
      /https/,
      /https/,
    ],
    [
      'security key as host key',
      ed25519Line(3),
      goodKeyLines[6] ?? '',
      '14:16',
      'targets[0].hostKeys[0]',
      /security key/,
      /host/,
    ],
  ])('is refused: %s', (_, from, to, place, path, message, fix) => {
    const [problem, ...others] = problemsOf(changed(from, to));

    expect(problem).toMatchObject({ file: 'sshtrail.yaml', path });
    expect(problem?.message).toMatch(message);
    expect(problem?.fix).toMatch(fix);
    expect(`${problem?.line}:${problem?.column}`).toBe(place);
    expect(others.map((other) => other.path)).toEqual([]);
  });

  it.each(badKeyLines)('is refused for a key line that is %s', (_, line, message) => {
    const [problem, ...others] = problemsOf(changed(`${ed25519Line(1)} alice@laptop`, line));

    expect(problem).toMatchObject({ path: 'identities[0].keys[0]' });
    expect(problem?.message).toMatch(message);
    expect(others).toEqual([]);
  });

  it('tells everything that is wrong at once, in the order of the lines', () => {
    const text = sample
      .replace('name: alice', 'name: 7')
      .replace('type: service', 'type: servise')
      .replace('name: deployer', 'name: deployer\n    totp: {}')
      .replace('host: web-1.example.com', 'hosst: x')
      .replace(`    hostKeys: ['${ed25519Line(3)}']\n`, '')
      .replace('policies:', 'polices:');

    expect(problemsOf(text).map(({ line, path }) => `${line} ${path}`)).toEqual([
      '2 identities[0].name',
      '7 identities[1].totp',
      '8 identities[1].type',
      '12 targets[0]',
      '13 targets[0].hosst',
      '15 polices',
    ]);
  });

  it.each([
    ['nothing', '', /empty/],
    ['a list', '[]', /not a mapping/],
    ['a comment', '# nothing', /empty/],
    ['an open bracket', 'a: [', /indented|lacks/],
    ['a tab', 'a:\n\tb: 1', /tab/],
    ['an alias', 'a: &x 1\nb: *x', /anchor/],
    ['an unknown alias', 'a: *x', /alias/],
    ['a billion laughs', 'a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]', /anchor/],
    ['a key twice', `${sample}policies: {}`, /twice/],
    ['a merge key', 'a: { <<: { b: 1 } }', /not known|missing/],
    ['a tag', 'a: !!js/function x', /tag/],
    ['a second document', `${sample}---\n${sample}`, /second document/],
    ['another YAML version', `%YAML 1.1\n---\n${sample}`, /directive/],
    ['a prototype', '__proto__: { a: 1 }', /not a name/],
    ['a pit of brackets', '['.repeat(100_000), /nested/],
    ['more than 1 MiB', `# ${'x'.repeat(1024 * 1024)}`, /1 MiB/],
    ['a mapping as key', '{ a: 1 }: b', /key|mapping/],
  ])('is refused as a file: %s', (_, text, message) => {
    const [problem] = problemsOf(text);

    expect(problem?.message).toMatch(message);
  });

  it('points at what repeats a name, not at what comes first', () => {
    expect(problemsOf(`${sample}policies: {}`)[0]).toMatchObject({ line: 18, column: 1 });
  });
});

describe('secrets', () => {
  const secret = 'JBSWY3DPEHPK3PXP';

  it.each([
    ['too short', changed(totpSecret, secret)],
    ['as a name', changed(`{ secret: ${totpSecret} }`, `{ ${secret} }`)],
    [
      'as a name with a value',
      changed(`{ secret: ${totpSecret} }`, `{ ${secret}: x, secret: ${totpSecret} }`),
    ],
    ['in place of the mapping', changed(`{ secret: ${totpSecret} }`, secret)],
    ['as a list', changed(`{ secret: ${totpSecret} }`, `[${secret}]`)],
    ['in broken quotes', changed(`{ secret: ${totpSecret} }`, `{ secret: "${secret}\\q }`)],
    ['as an alias', changed(`secret: ${totpSecret}`, `secret: *${secret}`)],
    ['as a tag', changed(`secret: ${totpSecret}`, `secret: !${secret} x`)],
    [
      'as a private key',
      changed(`${ed25519Line(1)} alice@laptop`, `-----BEGIN OPENSSH PRIVATE KEY----- ${secret}`),
    ],
    ['in the address of a webhook', `${sample}notify: { webhook: "http://example.com/${secret}" }`],
    ['twice', changed(`secret: ${totpSecret}`, `secret: ${secret}, secret: ${secret}`)],
  ])('are never repeated: %s', (_, text) => {
    const problems = problemsOf(text);

    expect(problems).not.toEqual([]);
    expect(formatProblems(problems) + JSON.stringify(problems)).not.toContain(secret);
  });
});

describe('formatted problems', () => {
  it('are two lines each, with the place first', () => {
    expect(formatProblems(problemsOf(changed('name: web-1', 'name: Web')))).toBe(
      [
        'sshtrail.yaml:11:11: targets[0].name: is not a target name',
        '    use a-z, 0-9 and . _ -, at most 128, beginning with a letter or digit',
        '',
      ].join('\n'),
    );
  });

  it('let no name in the file move the cursor or begin a line', () => {
    const text = formatProblems(problemsOf(`${sample}"a\\e[2J\\nb\\u202e": 1\n`));

    expect(text).toContain('a\\u{1b}[2J\\u{a}b\\u{202e}');
    expect(text.split('\n')).toHaveLength(3);
  });
});

describe('any text', () => {
  const lines = sample.split('\n');
  const mutated = fc
    .array(
      fc.tuple(
        fc.nat(lines.length - 1),
        fc.oneof(fc.string(), fc.constantFrom('', '  - x', 'a:', '}', "'", '\t', '*a', '&a b')),
      ),
      { minLength: 1, maxLength: 4 },
    )
    .map((changes) =>
      lines.map((line, index) => changes.find(([at]) => at === index)?.[1] ?? line).join('\n'),
    );

  it('is read or refused with places inside it, never with a fault', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), mutated), (text) => {
        const problems = problemsOf(text);

        for (const { column, fix, line, message } of problems) {
          expect(line).toBeGreaterThan(0);
          expect(line).toBeLessThanOrEqual(text.split(/\r\n|\r|\n/).length);
          expect(column).toBeGreaterThan(0);
          expect(message).not.toBe('');
          expect(fix).not.toBe('');
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('the JSON Schema', () => {
  it('is the published file: run "node scripts/write-schemas.ts" and "npm run format" after a change', () => {
    const published: unknown = JSON.parse(
      readFileSync(new URL('../../../schema/sshtrail.schema.json', import.meta.url), 'utf8'),
    );

    expect(published).toEqual(configurationJsonSchema());
    expect(published).toMatchObject({
      $schema: 'http://json-schema.org/draft-07/schema#',
      additionalProperties: false,
    });
  });
});
