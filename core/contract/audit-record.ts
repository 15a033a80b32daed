/** All values are strings, so that every engine reads them the same way; absent means not known. */
export type FlatStrings = Readonly<Record<string, string>>;

/** Who acted, in CloudTrail's words. */
export type UserIdentity = {
  readonly type:
    | 'IAMUser'
    | 'AssumedRole'
    | 'IdentityCenterUser'
    | 'FederatedUser'
    | 'ServiceIdentity'
    | 'Unknown'
    | 'LocalUser';
  readonly principalId: string;
  readonly userName: string;
  readonly arn?: string;
  readonly accountId?: string;
  readonly sessionContext?: {
    readonly attributes: { readonly mfaAuthenticated: 'true' | 'false'; readonly creationDate: string };
  };
};

/** Names of the events this product writes. The order is that of docs/events.md. */
export const eventNames = [
  'StartSession',
  'EndSession',
  'AuthenticateUser',
  'ChallengeMfa',
  'EnrollFactor',
  'ConfirmFactor',
  'RemoveFactor',
  'AuthenticateTarget',
  'VerifyHostKey',
  'IssueCertificate',
  'DenyAccess',
  'RefuseConnection',
  'ExecuteCommand',
  'AmendCommand',
  'CompleteCommand',
  'OpenShell',
  'OpenSubsystem',
  'TransferFile',
  'OpenPortForward',
  'ClosePortForward',
  'OpenJump',
  'CloseJump',
  'RequestAgentForwarding',
  'RequestX11Forwarding',
  'OpenAgentChannel',
  'OpenX11Channel',
  'SetEnvironment',
  'ReportSessionUsage',
  'JoinSession',
  'RevokeSession',
  'RequestAccess',
  'ApproveRequest',
  'RejectRequest',
  'CancelRequest',
  'ExpireRequest',
  'UseBreakGlass',
  'CreateLock',
  'DeleteLock',
  'DetectCondition',
  'SuppressFinding',
  'StartRunbook',
  'ExecuteRunbookStep',
  'RequestStepApproval',
  'CompleteRunbook',
  'PutPolicy',
  'UpdateConfiguration',
  'StartProxy',
  'StopProxy',
  'StoreRecording',
  'ViewRecording',
  'QueryAuditLog',
  'ExportEvidence',
  'ReportAuditLoss',
] as const;
export type EventName = (typeof eventNames)[number];

/** Codes of `errorCode`; a closed list. */
export const errorCodes = [
  'AccessDenied',
  'AuthenticationFailed',
  'MfaRequired',
  'MfaFailed',
  'HostKeyMismatch',
  'TargetUnreachable',
  'TargetRefused',
  'SessionLimitExceeded',
  'ProtocolError',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

/** What a writer says of an event; the journal adds identity, order, time of ingestion and the chain. */
export type AuditDraft = {
  readonly eventName: EventName;
  /** Milliseconds since the epoch, UTC. */
  readonly eventTimeMs: number;
  readonly readOnly: boolean;
  readonly userIdentity: UserIdentity;
  readonly sourceIPAddress?: string;
  /** The SSH identification string, or the name of the part that acts. */
  readonly userAgent?: string;
  readonly requestParameters: FlatStrings;
  readonly responseElements: FlatStrings;
  readonly additionalEventData: FlatStrings;
  readonly errorCode?: ErrorCode;
  /** One plain sentence with the next step. */
  readonly errorMessage?: string;
};

/** One line of the lake: CloudTrail's record shape. `additionalEventData` carries chainStream, chainSeq, chainPrev, chainHash and ingestTime. */
export type AuditRecord = {
  readonly eventVersion: '1.0';
  /** UUID version 7. */
  readonly eventID: string;
  /** ISO 8601 UTC with milliseconds. */
  readonly eventTime: string;
  readonly eventSource: string;
  readonly eventName: EventName;
  readonly eventCategory: 'ActivityAuditLog';
  readonly eventType: 'ActivityLog';
  readonly awsRegion: string;
  readonly recipientAccountId: string;
  readonly readOnly: boolean;
  readonly sourceIPAddress?: string;
  readonly userAgent?: string;
  readonly userIdentity: UserIdentity;
  readonly requestParameters: FlatStrings;
  readonly responseElements: FlatStrings;
  readonly additionalEventData: FlatStrings;
  readonly errorCode?: ErrorCode;
  readonly errorMessage?: string;
};

/** Where records say they come from. */
export type EventOrigin = {
  /** E.g. `ssh-proxy.example.com`. */
  readonly eventSource: string;
  readonly awsRegion: string;
  readonly recipientAccountId: string;
};
