import type { SSMClient } from '@aws-sdk/client-ssm';
import { ParametersError, readParameterAuthor, readParameters } from '#adapters/aws';
import { formatProblems, hostedPolicies } from '#core/configuration';
import type { PolicySources, ReadPolicies } from '../policy-keeper.ts';
import { TaskError } from './task-identity.ts';

/**
 * Looks for changes of the policies in Parameter Store. Several parameters cannot be written at once: they count once they were found the
 * same twice. What else the configuration says counts at the next deployment.
 */
export function watchTaskPolicies(options: {
  readonly ssm: SSMClient;
  /** `/sshtrail/<name>`. */
  readonly parameterPath: string;
  readonly report: (line: string) => void;
}): PolicySources {
  const path = `${options.parameterPath}/config`;
  let known: ReadonlyMap<string, string> | undefined;
  let before = '';

  return {
    async readChanged(): Promise<ReadPolicies | undefined> {
      const { policies, problems } = hostedPolicies(
        await readParameters({ client: options.ssm, path }),
        path,
      );
      if (problems.length > 0)
        throw new TaskError(
          'unusable-configuration',
          `the policies in Parameter Store cannot be used; put them right:\n${formatProblems(problems)}`,
        );
      const found = new Map(policies.map(({ name, version, value }) => [name, `${version} ${value}`]));
      const signature = JSON.stringify([...found]);
      const settled = signature === before;
      before = signature;
      if (!settled || (known !== undefined && signature === JSON.stringify([...known]))) return undefined;
      const old = known ?? new Map<string, string>();
      known = found;
      const changed = policies.filter(({ name }) => found.get(name) !== old.get(name));
      return {
        sources: policies.map(({ name, value }) => ({ file: name, text: value })),
        writtenBy: () => authorOf(options, changed.at(-1)?.name),
      };
    },
  };
}

/** Of one that was deleted nobody knows. Whoever it was, the policies count. */
async function authorOf(
  { ssm, report }: { readonly ssm: SSMClient; readonly report: (line: string) => void },
  name: string | undefined,
): Promise<string> {
  if (name === undefined) return 'unknown';
  try {
    return (await readParameterAuthor(ssm, name)) ?? 'unknown';
  } catch (error) {
    if (!(error instanceof ParametersError)) throw error;
    report(`who changed the policies is not known: ${error.message}`);
    return 'unknown';
  }
}
