import { readFileSync } from 'node:fs';
import { schemaToJson } from '@cedar-policy/cedar-wasm/nodejs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadPolicy, policyActionNames, policySchema, unknownNames } from '#core/policy';
import { policyOf } from './requests.ts';

function problemsOf(text: string) {
  const loaded = loadPolicy([{ file: 'policy.cedar', text }]);
  return loaded.ok ? [] : loaded.problems;
}

describe('loading policies', () => {
  it('names each by its @id, with its file and line, in the order of the text', () => {
    const many = Array.from(
      { length: 12 },
      (_, index) => `@id("p${index}")\npermit (principal, action, resource);`,
    );
    const policy = policyOf(`// é permit (principal, action, resource);\n${many.join('\n\n')}`);

    expect(policy.policies.map(({ id, line }) => `${id}:${line}`)).toEqual(
      many.map((_, index) => `p${index}:${2 + index * 3}`),
    );
    expect(policy.policies[0]).toMatchObject({ effect: 'permit', file: '0.cedar' });
  });

  it('tells versions apart by content', () => {
    const one = '@id("a") permit (principal, action, resource);';

    expect(policyOf(one).version).toBe(policyOf(one).version);
    expect(policyOf(one).version).not.toBe(
      policyOf(`${one}@id("b") forbid (principal, action, resource);`).version,
    );
  });

  it.each([
    ['fail/syntax', '@id("a")\npermit (principal, action, resource) whn { true };', 2, 38, /whn/],
    ['fail/half a policy', '@id("a") permit (principal, action)', 1, 36, /./],
    [
      'fail/unknown action',
      '@id("a") permit (principal, action == Action::"sheell", resource);',
      1,
      39,
      /sheell/,
    ],
    [
      'fail/unknown word',
      '// é\n@id("a") permit (principal, action, resource) when { context.mfaa };',
      2,
      54,
      /mfaa/,
    ],
    [
      'fail/label as attribute',
      '@id("a") permit (principal, action, resource) when { resource.labels.env == "x" };',
      1,
      54,
      /labels/,
    ],
    [
      'fail/asking whether there is a reason',
      '\n@id("a") permit (principal, action, resource) when { context.mfa && (context has reason) };',
      2,
      1,
      /always holds/,
    ],
    ['fail/no id', 'permit (principal, action, resource);', 1, 1, /name/],
    ['fail/id that breaks a log line', '@id("a\\nb") permit (principal, action, resource);', 1, 1, /name/],
    ['fail/id that is empty', '@id permit (principal, action, resource);', 1, 1, /name/],
    ['fail/template', '@id("a") permit (principal == ?principal, action, resource);', 1, 1, /template/],
    [
      'fail/forbid that never applies',
      '@id("a") forbid (principal, action, resource in Group::"x");',
      1,
      1,
      /./,
    ],
    [
      'fail/same id twice',
      '@id("a") permit (principal, action, resource);\n@id("a") forbid (principal, action, resource);',
      2,
      1,
      /1/,
    ],
    ['fail/nothing', '// nothing', 1, 1, /no policy/],
    [
      'fail/unguarded optional',
      '@id("a") permit (principal, action, resource) when { context.sessionCount == 1 };',
      1,
      54,
      /sessionCount/,
    ],
  ])('%s', (_, text, line, column, message) => {
    const [problem, ...others] = problemsOf(text);

    expect(problem).toMatchObject({ file: 'policy.cedar', line, column });
    expect(problem?.message).toMatch(message);
    expect(problem?.fix).not.toBe('');
    expect(others).toEqual([]);
  });

  it('reports the mistakes of every file and policy at once', () => {
    const loaded = loadPolicy([
      { file: 'one.cedar', text: 'permit (principal, action, resource) when { context.mfaa };' },
      { file: 'two.cedar', text: 'nonsense' },
    ]);

    expect(loaded.ok ? [] : loaded.problems.map(({ file }) => file)).toEqual([
      'one.cedar',
      'one.cedar',
      'two.cedar',
    ]);
  });

  it('refuses all of it for one bad policy: a missing forbid would be a permit', () => {
    expect(
      loadPolicy([
        { file: 'good.cedar', text: '@id("a") permit (principal, action, resource);' },
        {
          file: 'bad.cedar',
          text: '@id("b") forbid (principal, action, resource) when { context.logn == "root" };',
        },
      ]).ok,
    ).toBe(false);
  });

  it('says what to write instead of resource.labels', () => {
    const [problem] = problemsOf(
      '@id("a") permit (principal, action, resource) when { resource.labels.env == "x" };',
    );

    expect(problem?.fix).toContain('resource in HostGroup::"env=prod"');
  });

  it('prints no control characters that a policy file contains', () => {
    const problems = problemsOf(
      '@id("a") permit (principal, action == Action::"\u001b[2J\u202e", resource);',
    );

    expect(problems).not.toEqual([]);
    expect(JSON.stringify(problems)).not.toMatch(/\\u001b|\u202e/);
  });

  it('refuses files over 1 MiB unread', () => {
    expect(problemsOf(' '.repeat(1024 * 1024 + 1))[0]?.message).toContain('1 MiB');
  });

  it('answers any text with problems or policies, never with a fault', () => {
    const words = [
      '@id("a")',
      'permit',
      'forbid',
      '(',
      ')',
      'principal',
      'action',
      ',',
      'resource',
      ';',
      'when',
      '{',
      '}',
      '?principal',
      '"',
      'é',
      '//',
      '\n',
      'context.mfa',
      'in',
      'Group::"x"',
    ];
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.constantFrom(...words)).map((all) => all.join(' ')),
    );

    fc.assert(
      fc.property(texts, (text) => {
        const loaded = loadPolicy([{ file: 'x', text }]);

        expect(loaded.ok ? loaded.policy.policies : loaded.problems).not.toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the schema', () => {
  it('is the published file', () => {
    expect(readFileSync(new URL('../../../core/policy/sshtrail.cedarschema', import.meta.url), 'utf8')).toBe(
      policySchema,
    );
  });

  it('is the one that policies are checked against, in the form that is read quickly', () => {
    const checked: unknown = JSON.parse(
      readFileSync(new URL('../../../core/policy/cedar-schema.json', import.meta.url), 'utf8'),
    );

    expect(schemaToJson(policySchema)).toMatchObject({ type: 'success' });
    expect(schemaToJson(policySchema)).toHaveProperty('json', checked);
  });

  it('has the actions that can be asked for, and each in a group', () => {
    const declared = [...policySchema.matchAll(/^action (\w+) in \[\w+\]/gm)].map((match) => match[1]);

    expect(declared).toEqual(policyActionNames);
  });
});

describe('names that nobody has', () => {
  const identities = [{ name: 'alice', groups: ['engineers'] }];
  const targets = [{ name: 'web-1', labels: { env: 'prod' } }];

  it('are found in scopes and conditions, with what was probably meant', () => {
    const policy = policyOf(
      '@id("a") permit (principal in Group::"enginers", action, resource in HostGroup::"env=prd");',
      '@id("b") forbid (principal, action, resource) when { [User::"alise"].contains(principal) || resource == Host::"zzz" };',
    );

    const problems = unknownNames(policy, identities, targets);

    expect(problems.map(({ message, fix }) => `${/\w+::"[^"]+"/.exec(message)?.[0]} ${fix}`)).toEqual([
      'Group::"enginers" did you mean "engineers"?',
      'HostGroup::"env=prd" did you mean "env=prod"?',
      'User::"alise" did you mean "alice"?',
      'Host::"zzz" add it to the configuration or take it out',
    ]);
  });

  it('are none where the configuration has them all', () => {
    const policy = policyOf(
      '@id("a") permit (principal in Group::"engineers", action, resource in HostGroup::"env=prod");',
    );

    expect(unknownNames(policy, identities, targets)).toEqual([]);
  });
});
