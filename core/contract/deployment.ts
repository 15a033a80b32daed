/**
 * Environment variables by which the stacks tell the gateway task and the functions what they work with. Each process
 * parses its own list at its start and refuses to start without one of them.
 */
const common = [
  /** Name of the deployment, e.g. `sshtrail`: part of names and parameter paths. */
  'SSHTRAIL_NAME',
  /** eventSource of the events, e.g. `ssh-proxy.example.com`. */
  'SSHTRAIL_EVENT_SOURCE',
  /** 12 digits. The region is AWS_REGION. */
  'SSHTRAIL_ACCOUNT',
  /** Bucket with Object Lock: `events/`, `recordings/`, `findings/`. */
  'SSHTRAIL_EVIDENCE_BUCKET',
  /** Bucket of what is not sealed yet: `journal/`, `spool/`. */
  'SSHTRAIL_JOURNAL_BUCKET',
  'SSHTRAIL_CONTROL_TABLE',
  /** Bus that gets an event per sealed record that a runbook may wait for. */
  'SSHTRAIL_EVENT_BUS',
  /** Parameter with the ARN of the CloudTrail Lake channel, or the word `unavailable`, or no parameter; empty where Lake is off. */
  'SSHTRAIL_LAKE_CHANNEL_PARAMETER',
] as const;

const athena = ['SSHTRAIL_ATHENA_WORKGROUP', 'SSHTRAIL_GLUE_DATABASE'] as const;

export const deploymentVariables = {
  gateway: [
    ...common,
    /** `/sshtrail/<name>`: below it `config/sshtrail.yaml`, `config/policies/*.cedar`, `host-key` and `host-authority`. */
    'SSHTRAIL_PARAMETER_PATH',
    /** KMS key that signs the certificate each session shows to its target. */
    'SSHTRAIL_TARGET_AUTHORITY_KEY',
    /** KMS key whose user certificates identify engineers. */
    'SSHTRAIL_ENGINEER_AUTHORITY_KEY',
    'SSHTRAIL_SSH_PORT',
    'SSHTRAIL_HEALTH_PORT',
    /** Comma-separated ranges of the load balancer, which says by PROXY protocol who connects; empty where it keeps the client's address. */
    'SSHTRAIL_PROXY_PROTOCOL_RANGES',
    /** Task protection is renewed for no longer than this after a stop was asked for. */
    'SSHTRAIL_MAX_DRAIN_MINUTES',
    'SSHTRAIL_NOTICE_TOPIC',
    /** CloudWatch namespace of the metrics in the log (embedded metric format). */
    'SSHTRAIL_METRICS_NAMESPACE',
  ],
  'issue-certificate': [
    ...common,
    'SSHTRAIL_ENGINEER_AUTHORITY_KEY',
    /** Longest life of a certificate, seconds. */
    'SSHTRAIL_MAX_CERTIFICATE_SECONDS',
    /** Comma-separated accounts whose identities may ask; the own one is always among them. */
    'SSHTRAIL_ALLOWED_ACCOUNTS',
    /** Comma-separated accounts whose Identity Center is declared to ask for MFA at every sign-in; may be empty. */
    'SSHTRAIL_IDENTITY_CENTER_MFA_ACCOUNTS',
  ],
  'control-api': [
    ...common,
    'SSHTRAIL_PARAMETER_PATH',
    'SSHTRAIL_NOTICE_TOPIC',
    /** As `issue-certificate` has it. */
    'SSHTRAIL_IDENTITY_CENTER_MFA_ACCOUNTS',
  ],
  'run-runbook': [
    ...common,
    ...athena,
    'SSHTRAIL_PARAMETER_PATH',
    /** Parameter with the id of the event data store, or `unavailable`; empty where Lake is off. */
    'SSHTRAIL_EVENT_DATA_STORE_PARAMETER',
    /** Table of the account's own trail in the Glue database, or the id of an event data store; empty where there is none. */
    'SSHTRAIL_ACCOUNT_TRAIL',
    'SSHTRAIL_NOTICE_TOPIC',
  ],
  act: [...common, 'SSHTRAIL_PARAMETER_PATH', 'SSHTRAIL_NOTICE_TOPIC'],
  seal: [
    ...common,
    'SSHTRAIL_NOTICE_TOPIC',
    /** KMS key that signs digests. */
    'SSHTRAIL_EVIDENCE_KEY',
  ],
  'check-exposure': [
    ...common,
    'SSHTRAIL_NOTICE_TOPIC',
    /** Comma-separated security groups whose open port 22 is meant, such as the balancer's own; may be empty. */
    'SSHTRAIL_EXPOSURE_ALLOWED_GROUPS',
  ],
  /** Custom resource behind `cloudTrailLake: auto`; reads its settings from the resource's properties. */
  'provision-lake': [],
} as const;

export type Workload = keyof typeof deploymentVariables;
export type DeploymentVariable<Kind extends Workload> = (typeof deploymentVariables)[Kind][number];

/** Every function is a folder of `lambdas/` with this name and a `handler.ts` that exports `handler`. */
export const functionNames = [
  'issue-certificate',
  'control-api',
  'run-runbook',
  'act',
  'seal',
  'check-exposure',
  'provision-lake',
] as const satisfies readonly Workload[];
export type FunctionName = (typeof functionNames)[number];

/** Of the routes that do the same as those without it, and that IAM refuses to whoever has no MFA. */
export const mfaRoutePrefix = '/v1/mfa/';

/** Routes of the control API. IAM refuses those `WithMfa` to whoever has none, which is how MFA becomes a fact. */
export const apiRoutes = {
  certificateWithMfa: '/v1/certificates/mfa',
  certificate: '/v1/certificates',
  factors: '/v1/factors',
  enrollFactor: '/v1/factors/{identity}/enroll',
  removeFactor: '/v1/factors/{identity}/remove',
  sessions: '/v1/sessions',
  revokeSession: '/v1/sessions/{sessionId}/revoke',
  requests: '/v1/requests',
  approveRequest: '/v1/requests/{requestId}/approve',
  rejectRequest: '/v1/requests/{requestId}/reject',
  cancelRequest: '/v1/requests/{requestId}/cancel',
  locks: '/v1/locks',
  lock: '/v1/locks/{lockId}',
  revokeSessionWithMfa: '/v1/mfa/sessions/{sessionId}/revoke',
  approveRequestWithMfa: '/v1/mfa/requests/{requestId}/approve',
  rejectRequestWithMfa: '/v1/mfa/requests/{requestId}/reject',
  locksWithMfa: '/v1/mfa/locks',
  lockWithMfa: '/v1/mfa/locks/{lockId}',
} as const;

/** Source of the gateways' and functions' events on the bus; the detail-type is the eventName, the detail the record. */
export const busSource = 'sshtrail';

/** What Scheduler (and a person) sends to run-runbook. */
export type RunbookRequest = {
  readonly kind: 'schedule' | 'person';
  readonly runbookId: string;
  readonly engine: 'athena' | 'lake';
  /** ISO 8601; `<aws.scheduler.scheduled-time>` in a schedule. Twice the same time is the same run. */
  readonly scheduledTime: string;
};

/** What an SSM Automation document sends to act. All values are text, as Automation has them. */
export type ActRequest = {
  readonly runbookId: string;
  readonly findingKey: string;
  /** `true` or `false`. */
  readonly dryRun: string;
  readonly automationExecutionId: string;
};

/** Name of the Automation document of a runbook. */
export function automationDocumentName(deployment: string, runbookId: string): string {
  return `${deployment}-${runbookId}`;
}

/** Says that CloudTrail Lake is closed to this account; in place of an ARN or id in the parameters. */
export const lakeUnavailable = 'unavailable';

/** Records of the gateways that go to the bus: what a runbook may be started by. */
export const busEventNames = [
  'StartSession',
  'AuthenticateUser',
  'DenyAccess',
  'ExecuteCommand',
  'OpenPortForward',
  'VerifyHostKey',
  'PutPolicy',
  'UpdateConfiguration',
  'StopProxy',
  'ReportAuditLoss',
] as const;
