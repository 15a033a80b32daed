import { type DeploymentVariable, deploymentVariables, type Workload } from '#core/contract';

export class DeploymentError extends Error {
  override readonly name = 'DeploymentError';
  readonly code: 'missing-variable';

  constructor(code: DeploymentError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Those that say by being empty that there is nothing. */
const mayBeEmpty: ReadonlySet<string> = new Set([
  'SSHTRAIL_ACCOUNT_TRAIL',
  'SSHTRAIL_EVENT_DATA_STORE_PARAMETER',
  'SSHTRAIL_EXPOSURE_ALLOWED_GROUPS',
  'SSHTRAIL_IDENTITY_CENTER_MFA_ACCOUNTS',
  'SSHTRAIL_LAKE_CHANNEL_PARAMETER',
  'SSHTRAIL_PROXY_PROTOCOL_RANGES',
]);

/** @throws DeploymentError `missing-variable` that names every variable the stacks should have set. */
export function readEnvironment<Kind extends Workload>(
  workload: Kind,
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<DeploymentVariable<Kind>, string>> {
  const names: readonly DeploymentVariable<Kind>[] = deploymentVariables[workload];
  const missing = names.filter((name) => {
    const value = environment[name];
    return value === undefined || (value === '' && !mayBeEmpty.has(name));
  });
  if (missing.length > 0)
    throw new DeploymentError(
      'missing-variable',
      `${workload} cannot start without ${missing.join(', ')}; deploy it by the stacks, which set them`,
    );
  const complete = { ...environment };
  for (const name of names) complete[name] ??= '';
  if (!hasAll(complete, names)) throw new RangeError('a variable has no text');
  return complete;
}

function hasAll<Name extends string>(
  values: Readonly<Record<string, string | undefined>>,
  names: readonly Name[],
): values is Record<Name, string> {
  return names.every((name) => typeof values[name] === 'string');
}
