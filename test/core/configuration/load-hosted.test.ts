import { describe, expect, it } from 'vitest';
import { type HostedParameter, loadHosted } from '#core/configuration';
import { hostedSample } from './hosted-sample.ts';

const path = '/sshtrail/prod';
const parameter = (name: string, value: string): HostedParameter => ({
  name: `${path}/${name}`,
  value,
  version: 1,
});
const good = [
  parameter('config/sshtrail.yaml', hostedSample),
  parameter('config/policies/20-deny.cedar', 'forbid (principal, action, resource);'),
  parameter('config/policies/10-allow.cedar', 'permit (principal, action, resource);'),
];

function loaded(parameters: readonly HostedParameter[], from = path) {
  const result = loadHosted(parameters, from);
  if (!result.ok) throw new Error(result.problems.map(({ message }) => message).join());
  return result;
}

describe('loadHosted', () => {
  it('picks the configuration and the policies, these by name, and nothing else', () => {
    const result = loaded([...good, parameter('host-key', 'secret'), parameter('lake/channel-arn', 'x')]);

    expect(result.configuration.gateway.maxSessions).toBe(50);
    expect(result.policyTexts).toEqual([
      { file: `${path}/config/policies/10-allow.cedar`, text: 'permit (principal, action, resource);' },
      { file: `${path}/config/policies/20-deny.cedar`, text: 'forbid (principal, action, resource);' },
    ]);
    expect(result.version).toMatch(/^[0-9a-f]{64}$/);
  });

  it('takes the path of the configuration itself, too', () => {
    expect(loaded(good, `${path}/config`)).toEqual(loaded(good));
    expect(loaded(good, `${path}/`)).toEqual(loaded(good));
  });

  it('works for a deployment that is called config', () => {
    const renamed = good.map(({ name, ...rest }) => ({ name: name.replace('/prod/', '/config/'), ...rest }));

    expect(loaded(renamed, '/sshtrail/config').policyTexts).toHaveLength(2);
  });

  it('has the same version for the same content, in any order and whatever lies beside it', () => {
    const again = good.map((each) => ({ ...each, version: 7 })).toReversed();

    expect(loaded([...again, parameter('host-key', 'secret')]).version).toBe(loaded(good).version);
  });

  it.each([
    ['a value', good.map((each, at) => (at === 1 ? { ...each, value: `${each.value} ` } : each))],
    [
      'a name',
      good.map((each, at) => (at === 1 ? { ...each, name: `${path}/config/policies/21-deny.cedar` } : each)),
    ],
    ['a policy less', good.slice(0, 2)],
    [
      'two values that were exchanged',
      good.map((each, at) => ({ ...each, value: good[at === 0 ? 0 : 3 - at]?.value ?? '' })),
    ],
  ])('has another version for %s', (_name, others) => {
    expect(loaded(others).version).not.toBe(loaded(good).version);
  });

  it('refuses a policy that would not be read', () => {
    const misspelt = [
      ...good,
      parameter('config/policies/30-deny.ceder', 'forbid (principal, action, resource);'),
    ];
    const deeper = [
      ...good,
      parameter('config/policies/team/30-deny.cedar', 'forbid (principal, action, resource);'),
    ];

    for (const parameters of [misspelt, deeper])
      expect(loadHosted(parameters, path)).toMatchObject({
        ok: false,
        problems: [{ file: parameters.at(-1)?.name, message: expect.stringMatching(/would not be read/) }],
      });
  });

  it('refuses to do without policies, and without configuration', () => {
    expect(loadHosted([], path)).toMatchObject({
      ok: false,
      problems: [
        { file: `${path}/config/sshtrail.yaml`, message: 'there is no such parameter' },
        { file: `${path}/config/policies/` },
      ],
    });
    expect(loadHosted(good.slice(0, 1), path)).toMatchObject({ ok: false, problems: [{ line: 1 }] });
  });

  it('finds nothing wrong with policies where others are in force, and is the same version', () => {
    const readme = parameter('config/policies/readme.txt', 'hello');

    expect(loadHosted([...good, readme], path)).toMatchObject({ ok: false });
    expect(loadHosted([...good, readme], path, true)).toMatchObject({
      ok: true,
      version: loaded(good).version,
    });
    expect(loadHosted(good.slice(0, 1), path, true)).toMatchObject({ ok: true });
    expect(loadHosted([], path, true)).toMatchObject({ ok: false });
  });

  it('takes nothing from another deployment whose name begins the same', () => {
    const others = good.map(({ name, ...rest }) => ({ name: name.replace('/prod/', '/prod-2/'), ...rest }));

    expect(loadHosted(others, path).ok).toBe(false);
    expect(loaded([...good, ...others]).policyTexts).toHaveLength(2);
  });

  it('tells the problems of the configuration with the name of its parameter', () => {
    const wrong = [parameter('config/sshtrail.yaml', 'gatewya: {}\n'), ...good.slice(1)];

    expect(loadHosted(wrong, path)).toMatchObject({
      ok: false,
      problems: [{ file: `${path}/config/sshtrail.yaml`, path: 'gatewya', fix: 'did you mean gateway?' }],
    });
  });
});
