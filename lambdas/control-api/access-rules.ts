import type { SSMClient } from '@aws-sdk/client-ssm';
import { readParameters } from '#adapters/aws';
import { formatProblems, groupsOf, type HostedConfiguration, loadHosted } from '#core/configuration';
import { loadPolicy, type PolicySet } from '#core/policy';
import { compileRules, redactText } from '#core/redaction';
import { FunctionError } from '../shared/index.ts';

/** What decides who may ask for access and who may give it. */
export type AccessRules = {
  readonly policy: PolicySet;
  readonly targets: HostedConfiguration['targets'];
  readonly access: HostedConfiguration['access'];
  readonly groupsOf: (arn: string) => readonly string[];
  /** Hides secrets: people paste all kinds of things into a reason. */
  readonly redact: (text: string) => string;
};

/**
 * The deployment's policies and configuration as they are now.
 * @throws FunctionError `configuration`, ParametersError
 */
export async function readAccessRules(client: SSMClient, parameterPath: string): Promise<AccessRules> {
  const path = `${parameterPath}/config`;
  const loaded = loadHosted(await readParameters({ client, path }), path);
  if (!loaded.ok) throw unusable(path, formatProblems(loaded.problems));
  const policy = loadPolicy(loaded.policyTexts);
  if (!policy.ok)
    throw unusable(
      path,
      policy.problems
        .map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`)
        .join('; '),
    );
  const { targets, access, awsIdentities, redaction } = loaded.configuration;
  const hidden = compileRules(redaction);
  return {
    policy: policy.policy,
    targets,
    access,
    groupsOf: (arn) => groupsOf(awsIdentities, arn),
    redact: (text) => redactText(text, hidden).text,
  };
}

function unusable(path: string, problems: string): FunctionError {
  return new FunctionError(
    'configuration',
    `the configuration below ${path} cannot be used, so that nobody may decide on access: ${problems}`,
  );
}
