import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatProblems,
  hostedConfigurationJsonSchema,
  type Problem,
  parseHostedConfiguration,
} from '#core/configuration';
import { hostedSample } from './hosted-sample.ts';
import { ed25519Line, totpSecret } from './sample.ts';

function problemsOf(text: string): readonly Problem[] {
  const parsed = parseHostedConfiguration(text, 'config/sshtrail.yaml');
  return parsed.ok ? [] : parsed.problems;
}

function changed(from: string, to: string): string {
  expect(hostedSample).toContain(from);
  return hostedSample.replace(from, to);
}

describe('a good configuration of the AWS form', () => {
  it('is read with every default filled in, and names nothing that the deployment gives', () => {
    const parsed = parseHostedConfiguration(hostedSample, 'config/sshtrail.yaml');

    expect(parsed).toEqual({
      ok: true,
      configuration: {
        gateway: {
          algorithms: 'modern',
          loginGraceSeconds: 30,
          mfaGraceSeconds: 300,
          maxAuthAttempts: 6,
          maxKeyOffers: 20,
          maxBytesBeforeKeys: 262_144,
          maxNoiseBeforeKeys: 32,
          maxSessions: 50,
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
          drainSeconds: 85,
          rekeyBytes: 1_073_741_824,
          rekeySeconds: 3600,
          workers: 1,
          banner: 'authorised use only',
        },
        identities: [
          {
            name: 'deployer',
            type: 'service',
            groups: [],
            keys: [ed25519Line(2)],
            sources: ['192.0.2.0/24'],
            principalId: 'deployer',
          },
          {
            name: 'alice',
            type: 'person',
            groups: [],
            keys: [ed25519Line(5)],
            totp: { kind: 'secret', secret: totpSecret },
            principalId: 'alice',
          },
        ],
        awsIdentities: [{ arn: 'arn:aws:sts::123456789012:assumed-role/Engineer/*', groups: ['engineers'] }],
        trustedUserAuthorities: [],
        targets: [
          {
            name: 'web-1',
            host: 'web-1.example.com',
            port: 22,
            labels: {},
            hostTrust: { kind: 'pinned', keys: [ed25519Line(3)] },
          },
        ],
        ec2Inventory: {
          enabled: true,
          nameTag: 'Name',
          selectTags: { 'sshtrail:target': 'true' },
          labelTags: ['env'],
          address: 'private',
          hostAuthority: { keys: [ed25519Line(4)] },
          dial: 'ssm',
          auth: 'certificate',
        },
        certificate: { validForSeconds: 90, backdateSeconds: 30 },
        access: { waitSeconds: 300, requestSeconds: 3600, grantSeconds: 3600, maxGrantSeconds: 28_800 },
        recording: { onFailure: 'close' },
        redaction: { defaults: true, rules: [] },
        runbooks: { settings: { 'SSH-002': { mode: 'auto', inputs: {} } } },
      },
    });
  });

  it('may be all but empty: IAM knows the engineers', () => {
    expect(parseHostedConfiguration('certificate: {}\n', 'x')).toMatchObject({
      ok: true,
      configuration: {
        identities: [],
        awsIdentities: [],
        targets: [],
        certificate: { validForSeconds: 60, backdateSeconds: 30 },
      },
    });
    expect(parseHostedConfiguration('certificate: {}\n', 'x')).not.toHaveProperty(
      'configuration.ec2Inventory',
    );
  });
});

describe('a configuration of the AWS form that sets what the deployment gives', () => {
  it.each([
    ['gateway.listen', changed('maxSessions: 50', 'listen: { port: 22 }'), /load balancer/],
    ['gateway.proxyId', changed('maxSessions: 50', 'proxyId: p-1'), /its own id/],
    [
      'gateway.eventSource',
      changed('maxSessions: 50', 'eventSource: ssh.example.com'),
      /setting of the stacks/,
    ],
    ['gateway.region', changed('maxSessions: 50', 'region: eu-central-1'), /region the stacks/],
    ['gateway.account', changed('maxSessions: 50', "account: '123456789012'"), /account the stacks/],
    ['userAuthority', `${hostedSample}userAuthority: { keyFile: ca }\n`, /KMS.*certificate:/],
    ['hostKeys', `${hostedSample}hostKeys: { files: [host] }\n`, /parameter host-key/],
    ['policies', `${hostedSample}policies: { files: [a.cedar] }\n`, /config\/policies\/.*\.cedar/],
    ['notify', `${hostedSample}notify: { webhook: 'https://example.com/' }\n`, /SNS topic/],
    ['runbooks.directory', `${hostedSample}  directory: mine\n`, /deployed by the stacks/],
  ])('is told where %s comes from, once', (path, text, fix) => {
    const problems = problemsOf(text);

    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ path, message: 'is not set here: the deployment gives it' });
    expect(problems[0]?.fix).toMatch(fix);
    expect(text.split('\n')[(problems[0]?.line ?? 0) - 1]).toContain(path.split('.').at(-1));
  });

  it('is told that there are no files to keep a secret in', () => {
    const problems = problemsOf(changed(`secret: ${totpSecret}`, 'secretFile: /run/secret'));

    expect(problems.map(({ path }) => path)).toEqual(['identities[1].totp', 'identities[1].totp.secretFile']);
    expect(problems[1]?.fix).toMatch(/no files here/);
  });

  it('keeps the rest of what is wrong beside it', () => {
    const problems = problemsOf(`${changed('maxSessions: 50', 'proxyId: p-1, maxSesions: 1')}notify: {}\n`);

    expect(problems.map(({ path, fix }) => [path, fix.slice(0, 26)])).toEqual([
      ['gateway.proxyId', 'remove it; each task is na'],
      ['gateway.maxSesions', 'did you mean maxSessions?'],
      ['notify', 'remove it; notices go to t'],
    ]);
  });
});

describe('a wrong configuration of the AWS form', () => {
  it.each([
    ['an ARN of anybody', 'arn:aws:sts::123456789012:assumed-role/Engineer/*', "'*'", 'awsIdentities[0].arn'],
    ['an ARN of any account', ':123456789012:', ':*:', 'awsIdentities[0].arn'],
    [
      'the ARN of a role',
      'sts::123456789012:assumed-role/Engineer/*',
      'iam::123456789012:role/Engineer',
      'awsIdentities[0].arn',
    ],
    ['an entry without groups', 'groups: [engineers]', 'groups: []', 'awsIdentities[0].groups'],
    ['a choice that is none', 'dial: ssm', 'dial: telnet', 'ec2Inventory.dial'],
    ['a tag that is none', 'labelTags: [env]', "labelTags: ['a\\tb']", 'ec2Inventory.labelTags[0]'],
    [
      'a key that is none',
      `${ed25519Line(4)} host-ca`,
      'ssh-ed25519 AAAA',
      'ec2Inventory.hostAuthority.keys[0]',
    ],
    ['a misspelt setting', 'labelTags:', 'lableTags:', 'ec2Inventory.lableTags'],
    [
      'a certificate for ever',
      'validForSeconds: 90',
      'validForSeconds: 900000',
      'certificate.validForSeconds',
    ],
    ['a runbook without a number', 'SSH-002:', 'ssh:', 'runbooks.ssh'],
    ['a target nobody can know', `hostKeys: ['${ed25519Line(3)}']`, 'port: 22', 'targets[0]'],
  ])('is refused for %s', (_name, from, to, path) => {
    const problems = problemsOf(changed(from, to));

    expect(problems.map((problem) => problem.path)).toContain(path);
    for (const { message, fix } of problems) expect([message, fix]).not.toContain('');
  });

  it.each(['', '  selectTags: {}\n'])('is refused where every instance would be a target', (tags) => {
    const problems = problemsOf(`ec2Inventory:\n  enabled: true\n${tags}`);

    expect(problems).toMatchObject([{ path: 'ec2Inventory.selectTags' }]);
    expect(problems[0]?.message).toMatch(/every instance/);
    expect(problemsOf(`ec2Inventory:\n  enabled: false\n${tags}`)).toEqual([]);
  });

  it('never has its secrets repeated', () => {
    const text = formatProblems(problemsOf(changed(`secret: ${totpSecret}`, `secrte: ${totpSecret}`)));

    expect(text).not.toBe('');
    expect(text).not.toContain(totpSecret);
  });
});

describe('any text', () => {
  const mutated = fc
    .tuple(fc.nat(hostedSample.length), fc.nat(20), fc.string({ unit: 'binary', maxLength: 20 }))
    .map(([at, length, text]) => hostedSample.slice(0, at) + text + hostedSample.slice(at + length));

  it('is read or refused with places inside it, never with a fault', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), mutated), (text) => {
        for (const { column, fix, line, message } of problemsOf(text)) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
          expect(message).not.toBe('');
          expect(fix).not.toBe('');
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('the JSON Schema of the AWS form', () => {
  it('is the published file: run "node scripts/write-schemas.ts" and "npm run format" after a change', () => {
    const published: unknown = JSON.parse(
      readFileSync(new URL('../../../schema/sshtrail-hosted.schema.json', import.meta.url), 'utf8'),
    );

    expect(published).toEqual(hostedConfigurationJsonSchema());
    expect(published).toMatchObject({ additionalProperties: false, title: 'sshtrail.yaml on AWS' });
    expect(published).not.toHaveProperty('properties.userAuthority');
    expect(published).not.toHaveProperty('properties.gateway.properties.listen');
    expect(published).not.toHaveProperty('properties.runbooks.properties.directory');
    expect(published).toHaveProperty(['properties', 'runbooks', 'patternProperties']);
  });
});
