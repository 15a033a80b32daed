import type { Workload } from '#core/contract';
import type { Resources } from './permission.ts';

/** Of the role that Automation takes on; roles are known in the whole account, so the region is a part of it. */
export function automationRoleName(name: string, region: string): string {
  return `${name}-automation-${region}`;
}

/** Of a workload's role. Policies of keys and of the evidence name it before it exists. */
export function workloadRoleName(workload: Workload, name: string, region: string): string {
  return `${name}-${workload}-${region}`;
}

export function workloadRoleArn(
  workload: Workload,
  on: Pick<Resources, 'partition' | 'account' | 'name' | 'region'>,
): string {
  return `arn:${on.partition}:iam::${on.account}:role/${workloadRoleName(workload, on.name, on.region)}`;
}
