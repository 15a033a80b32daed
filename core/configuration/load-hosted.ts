import { createHash } from 'node:crypto';
import type { HostedConfiguration } from './hosted-configuration.ts';
import { parseHostedConfiguration } from './parse-hosted-configuration.ts';
import type { Problem } from './problem.ts';

export type HostedParameter = { readonly name: string; readonly value: string; readonly version: number };

export type LoadedHosted = {
  readonly configuration: HostedConfiguration;
  /** By name, which is the parameter's. */
  readonly policyTexts: readonly { readonly file: string; readonly text: string }[];
  /** SHA-256 over names and values, hex: the same configuration and policies are the same version. */
  readonly version: string;
};

/**
 * Picks `config/sshtrail.yaml` and `config/policies/*.cedar` from the parameters of a deployment. `path` is the deployment's, or that
 * of its `config`. Something else among the policies is a problem: a rule that is not read must not go unnoticed. It is none to whoever has
 * `policiesInForce` from elsewhere.
 */
export function loadHosted(
  parameters: readonly HostedParameter[],
  path: string,
  policiesInForce = false,
): ({ readonly ok: true } & LoadedHosted) | { readonly ok: false; readonly problems: readonly Problem[] } {
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const name = `${configurationFolder(byName, path)}/sshtrail.yaml`;
  const main = byName.get(name);
  const found = hostedPolicies(parameters, path);
  const { policies } = found;
  const problems = policiesInForce ? [] : found.problems;
  if (main === undefined) return { ok: false, problems: [noConfiguration(name), ...problems] };
  const parsed = parseHostedConfiguration(main.value, main.name);
  if (!parsed.ok) return { ok: false, problems: [...parsed.problems, ...problems] };
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    configuration: parsed.configuration,
    policyTexts: policies.map(({ name: file, value: text }) => ({ file, text })),
    version: versionOf([main, ...policies]),
  };
}

/** The policies among the parameters of a deployment, by name, and whatever else is there and should not be. */
export function hostedPolicies(
  parameters: readonly HostedParameter[],
  path: string,
): { readonly policies: readonly HostedParameter[]; readonly problems: Problem[] } {
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const folder = configurationFolder(byName, path);
  const ofPolicies = [...byName.values()]
    .filter((parameter) => parameter.name.startsWith(`${folder}/policies/`))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  const policies = ofPolicies.filter((parameter) =>
    /^[^/]+\.cedar$/.test(parameter.name.slice(`${folder}/policies/`.length)),
  );
  const problems = ofPolicies.filter((parameter) => !policies.includes(parameter)).map(notAPolicy);
  if (policies.length === 0) problems.push(noPolicy(folder));
  return { policies, problems };
}

function configurationFolder(byName: ReadonlyMap<string, HostedParameter>, path: string): string {
  const root = path.replace(/\/+$/, '');
  const folders = [`${root}/config`, ...(root.endsWith('/config') ? [root] : [])];
  return folders.find((candidate) => byName.has(`${candidate}/sshtrail.yaml`)) ?? folders.at(-1) ?? root;
}

/** Each name and value ends where the next begins, whatever is in them. */
function versionOf(parameters: readonly HostedParameter[]): string {
  const hash = createHash('sha256');
  for (const { name, value } of parameters) hash.update(`${JSON.stringify([name, value])}\n`);
  return hash.digest('hex');
}

const whole = { line: 1, column: 1, path: '' };

function noConfiguration(file: string): Problem {
  return {
    file,
    ...whole,
    message: 'there is no such parameter',
    fix: 'put the configuration there, or deploy the stacks, which do',
  };
}

function noPolicy(folder: string): Problem {
  return {
    file: `${folder}/policies/`,
    ...whole,
    message: 'there is no policy, so that nothing would be allowed',
    fix: 'put at least one parameter there whose name ends with .cedar',
  };
}

function notAPolicy({ name }: HostedParameter): Problem {
  return {
    file: name,
    ...whole,
    message: 'is among the policies and is none by its name, so that it would not be read',
    fix: 'give it a name that ends with .cedar, directly below policies/, or delete it',
  };
}
