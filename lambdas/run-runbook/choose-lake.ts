import type { CloudTrailClient } from '@aws-sdk/client-cloudtrail';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { createLakeEngine, readParameter } from '#adapters/aws';
import { lakeUnavailable } from '#core/contract';
import type { LakeChoice } from './run-runbook.ts';

/**
 * The event data store that the deployment speaks of, if it speaks of one.
 * @throws ParametersError
 */
export async function chooseLake(options: {
  readonly cloudTrail: CloudTrailClient;
  readonly ssm: SSMClient;
  /** Name of the parameter with the id; empty where Lake is off. */
  readonly parameter: string;
}): Promise<LakeChoice> {
  const { cloudTrail: client, ssm, parameter } = options;
  if (parameter === '') return { kind: 'unavailable', reason: 'CloudTrail Lake is off in this deployment' };
  const eventDataStoreId = await readParameter(ssm, parameter);
  if (eventDataStoreId === undefined || eventDataStoreId === lakeUnavailable)
    return { kind: 'unavailable', reason: 'CloudTrail Lake is closed to this account' };
  return { kind: 'there', engine: createLakeEngine({ client, eventDataStoreId }), eventDataStoreId };
}
