import { DeploymentError } from '#core/deployment';

/** @throws DeploymentError `missing-variable` */
export function readRegion(environment: Readonly<Record<string, string | undefined>>): string {
  const region = environment['AWS_REGION'];
  if (region === undefined || region === '')
    throw new DeploymentError('missing-variable', 'there is no AWS_REGION; the function service sets it');
  return region;
}
