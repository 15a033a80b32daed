import type { Deployment } from './deployment.ts';

/** What every process is told. */
export function commonEnvironment(
  deployment: Deployment,
  made: {
    readonly account: string;
    readonly evidenceBucket: string;
    readonly journalBucket: string;
    readonly table: string;
    readonly bus: string;
  },
) {
  return {
    SSHTRAIL_NAME: deployment.name,
    SSHTRAIL_EVENT_SOURCE: deployment.eventSource,
    SSHTRAIL_ACCOUNT: made.account,
    SSHTRAIL_EVIDENCE_BUCKET: made.evidenceBucket,
    SSHTRAIL_JOURNAL_BUCKET: made.journalBucket,
    SSHTRAIL_CONTROL_TABLE: made.table,
    SSHTRAIL_EVENT_BUS: made.bus,
    SSHTRAIL_LAKE_CHANNEL_PARAMETER:
      deployment.cloudTrailLake === 'off' ? '' : `${parameterPath(deployment)}/lake/channel-arn`,
  };
}

export function parameterPath({ name }: Deployment): string {
  return `/sshtrail/${name}`;
}
