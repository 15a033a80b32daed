import type { Workload } from '#core/contract';
import { exposure, lake, queries, startsAutomation } from './function-permissions.ts';
import { configuration, gateway, notices } from './gateway-permissions.ts';
import type { Permission, Resources } from './permission.ts';
import { signs, signsDigests } from './signing-permissions.ts';
import { eventsOnly, withDigests, withFindings, withRecordings, writer } from './writer-permissions.ts';

/** Everything a workload may do in AWS. A test compares it with the calls its code can make. */
export function permissionsOf(workload: Workload, on: Resources): readonly Permission[] {
  switch (workload) {
    case 'gateway':
      return [...writer(on, withRecordings), ...gateway(on), notices(on)];
    case 'issue-certificate':
      return [
        ...writer(on, eventsOnly),
        signs(on, 'SignForEngineers', 'signs the certificates of engineers; no other role may', {
          authority: on.engineerAuthority,
        }),
        {
          sid: 'KnowAuthority',
          reason: 'the public key by which it verifies what it has signed',
          actions: ['kms:GetPublicKey'],
          resources: [on.engineerAuthority],
        },
      ];
    case 'control-api':
      return [...writer(on, eventsOnly), configuration(on), notices(on)];
    case 'run-runbook':
      return [
        ...writer(on, withFindings),
        ...queries(on),
        configuration(on),
        ...startsAutomation(on),
        notices(on),
      ];
    case 'act':
      return [...writer(on, withFindings), configuration(on), notices(on)];
    case 'seal':
      return [...writer(on, withDigests), notices(on), ...signsDigests(on)];
    case 'check-exposure':
      return [...writer(on, eventsOnly), notices(on), ...exposure(on)];
    case 'provision-lake':
      return lake(on);
    default:
      return workload satisfies never;
  }
}
