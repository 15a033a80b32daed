import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addTarget, type NewTarget, parseConfiguration, targetLines } from '#core/configuration';
import { ed25519Line, sample } from './sample.ts';

const added: NewTarget = {
  name: 'web-2',
  host: '192.0.2.12',
  port: 2222,
  labels: { env: 'prod', critical: 'true' },
  logins: ['deploy'],
  trust: { kind: 'pinned', keys: [ed25519Line(8)] },
};

const addedText = `  - name: web-2
    host: 192.0.2.12
    port: 2222
    labels:
      env: prod
      critical: "true"
    logins:
      - deploy
    hostKeys:
      - ${ed25519Line(8)}
`;

const commented = `# The gateway of the team.
identities:
    - name: alice   # on call
      groups: [engineers]
      keys: ['${ed25519Line(1)} alice@laptop']

targets:
    # the first one
    - name: web-1
      host:   web-1.example.com     # behind the balancer
      labels: {env: prod,   team: "a"}
      hostKeys: ['${ed25519Line(3)}']   # compared by hand
    # that was the last one

policies: { files: [policy.cedar] }
userAuthority: { keyFile: keys/user-ca }
hostKeys: { files: [keys/host] }
`;

function configurationOf(text: string) {
  const parsed = parseConfiguration(text, 'sshtrail.yaml');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.configuration;
}

describe('addTarget', () => {
  it('adds lines behind the last target and changes no other byte', () => {
    const changed = addTarget(commented, added);

    const lines = addedText.replace(/^/gm, '  ').trimEnd();
    expect(changed).toBe(commented.replace('# compared by hand\n', `# compared by hand\n${lines}\n`));
  });

  it('adds the target that was given', () => {
    const changed = configurationOf(addTarget(sample, added));

    expect(changed.targets.at(-1)).toEqual({
      name: 'web-2',
      host: '192.0.2.12',
      port: 2222,
      labels: { env: 'prod', critical: 'true' },
      logins: ['deploy'],
      hostTrust: { kind: 'pinned', keys: [ed25519Line(8)] },
    });
    expect({ ...changed, targets: changed.targets.slice(0, -1) }).toEqual(configurationOf(sample));
  });

  it('trusts an authority where that is given', () => {
    const trust = { kind: 'authority', keys: [ed25519Line(9)] } as const;

    const changed = configurationOf(addTarget(sample, { ...added, trust }));

    expect(changed.targets.at(-1)?.hostTrust).toEqual({ ...trust, principals: ['192.0.2.12'] });
  });

  it.each([
    ['no target yet', 'targets: []\n', `targets:\n${addedText}`],
    ['no target yet, and a comment', 'targets: []  # none\n', `targets:  # none\n${addedText}`],
    ['no target yet, over lines', 'targets: [\n]\n', `targets:\n${addedText}`],
  ])('begins the list where there is %s', (_name, before, after) => {
    const text = sample.replace(/targets:\n(?: .*\n)+/, before);

    const changed = addTarget(text, added);

    expect(changed).toBe(text.replace(before, after));
    expect(configurationOf(changed).targets).toHaveLength(1);
  });

  it('adds to a list in brackets, and keeps comments', () => {
    const text = `# mine\n${sample.replace(/targets:\n(?: .*\n)+/, `targets: [{ name: a, host: b, hostKeys: ['${ed25519Line(3)}'] }] # these\n`)}`;

    const changed = addTarget(text, added);

    expect(configurationOf(changed).targets.map(({ name }) => name)).toEqual(['a', 'web-2']);
    expect(changed).toContain('# mine');
    expect(changed).toContain('# these');
  });

  it.each([
    ['without a line end at the end', (text: string) => text.trimEnd()],
    ['with the line ends of Windows', (text: string) => text.replaceAll('\n', '\r\n')],
    [
      'with the list not indented',
      (text: string) => text.replace(/^ {2}(?=- name: web-1| {2}(?:host:|labels:|hostKeys:))/gm, ''),
    ],
    [
      'with a block of text at its end',
      (text: string) => text.replace(/^( +)hostKeys: .*$/m, '$1hostKeys:\n$1  - >-\n$1    ' + ed25519Line(3)),
    ],
  ])('works on a text %s', (_name, change) => {
    // The targets come last.
    const targets = /targets:\n(?: .*\n)+/.exec(sample)?.[0] ?? '';
    const text = change(sample.replace(targets, '') + targets);
    const before = configurationOf(text);

    const after = configurationOf(addTarget(text, added));

    expect(after.targets.map(({ name }) => name)).toEqual(['web-1', 'web-2']);
    expect({ ...after, targets: after.targets.slice(0, 1) }).toEqual(before);
  });

  it('writes whatever a name or value is as itself, never as another line', () => {
    const text = fc.string({ unit: 'binary', maxLength: 30 });
    fc.assert(
      fc.property(text, text, fc.dictionary(text, text, { maxKeys: 3 }), (name, host, labels) => {
        const changed = addTarget(sample, { ...added, name, host, labels });

        const parsed = parseConfiguration(changed, 'sshtrail.yaml');
        if (!parsed.ok) return;
        expect(parsed.configuration.targets).toHaveLength(2);
        expect(parsed.configuration.targets[1]).toMatchObject({ name, host, labels });
      }),
      { numRuns: 60 },
    );
  });
});

describe('targetLines', () => {
  it('leaves out what is as it is anyway', () => {
    const plain = { ...added, port: 22, labels: {}, logins: [] };

    expect(targetLines(plain, '')).toEqual([
      '- name: web-2',
      '  host: 192.0.2.12',
      '  hostKeys:',
      `    - ${ed25519Line(8)}`,
    ]);
  });
});
