import type { SSMClient } from '@aws-sdk/client-ssm';
import { readParameters } from '#adapters/aws';
import { formatProblems, loadHosted, type RunbookSetting } from '#core/configuration';
import { FunctionError } from './function-error.ts';

/** What a runbook does that the configuration does not speak of: it looks and says, and does nothing. */
const unmentioned: RunbookSetting = { mode: 'dry-run', inputs: {} };

/**
 * The settings of runbooks by their ids, from the deployment's configuration.
 * @throws FunctionError `configuration`, ParametersError
 */
export async function readRunbookSettings(
  client: SSMClient,
  parameterPath: string,
): Promise<Readonly<Record<string, RunbookSetting>>> {
  // Not the path above: beside the configuration lies what a function may not decrypt.
  const path = `${parameterPath}/config`;
  const loaded = loadHosted(await readParameters({ client, path }), path);
  if (!loaded.ok)
    throw new FunctionError(
      'configuration',
      `the configuration below ${path} cannot be used, so no runbook runs: ${formatProblems(loaded.problems)}`,
    );
  return loaded.configuration.runbooks.settings;
}

export function settingOf(
  settings: Readonly<Record<string, RunbookSetting>>,
  runbookId: string,
): RunbookSetting {
  return Object.hasOwn(settings, runbookId) ? (settings[runbookId] ?? unmentioned) : unmentioned;
}
