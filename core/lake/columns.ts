/** Where a column's text is found in a record. */
export type ColumnSource =
  | { readonly at: 'record'; readonly name: RecordField }
  | {
      readonly at: 'identity';
      readonly name: 'type' | 'principalId' | 'userName' | 'arn' | 'mfaAuthenticated';
    }
  | { readonly at: RecordMap; readonly key: string }
  /** The first of them that is not NULL. */
  | { readonly at: 'first'; readonly of: readonly ColumnSource[] }
  /** The whole map as JSON text. */
  | { readonly at: 'json'; readonly map: RecordMap }
  /** The day partition the record lies in. */
  | { readonly at: 'partition' };

type RecordField =
  | 'eventID'
  | 'eventTime'
  | 'eventSource'
  | 'eventName'
  | 'awsRegion'
  | 'recipientAccountId'
  | 'sourceIPAddress'
  | 'userAgent'
  | 'errorCode'
  | 'errorMessage';

export type RecordMap = 'requestParameters' | 'responseElements' | 'additionalEventData';

/** text: varchar; time: timestamp with time zone; flag: boolean; count: bigint. */
export type ColumnType = 'text' | 'time' | 'flag' | 'count';

export type LakeColumn = {
  readonly name: string;
  readonly type: ColumnType;
  readonly source: ColumnSource;
  readonly help: string;
};

const record = (name: RecordField): ColumnSource => ({ at: 'record', name });
const identity = (name: 'type' | 'principalId' | 'userName' | 'arn' | 'mfaAuthenticated'): ColumnSource => ({
  at: 'identity',
  name,
});
const asked = (key: string): ColumnSource => ({ at: 'requestParameters', key });
const happened = (key: string): ColumnSource => ({ at: 'responseElements', key });
const known = (key: string): ColumnSource => ({ at: 'additionalEventData', key });
const first = (...of: readonly ColumnSource[]): ColumnSource => ({ at: 'first', of });

function column(name: string, type: ColumnType, source: ColumnSource, help: string): LakeColumn {
  return { name, type, source, help };
}

/** The columns of `events`, the same in every engine. A value a record does not carry is NULL. */
export const eventColumns: readonly LakeColumn[] = [
  column('event_id', 'text', record('eventID'), 'UUID of the record'),
  column('event_time', 'time', record('eventTime'), 'when it happened'),
  column(
    'ingest_time',
    'time',
    first(known('ingestTime'), record('eventTime')),
    'when the journal took it; windows go by this',
  ),
  column('event_name', 'text', record('eventName'), 'StartSession, ExecuteCommand, ...'),
  column('event_source', 'text', record('eventSource'), 'the proxy that wrote it'),
  column('account_id', 'text', record('recipientAccountId'), 'account of the deployment'),
  column('region', 'text', record('awsRegion'), 'region of the deployment'),
  column('user_name', 'text', identity('userName'), 'identity of the engineer'),
  column('principal_id', 'text', identity('principalId'), 'stable id of the identity'),
  column('principal_type', 'text', identity('type'), 'IAMUser, AssumedRole, LocalUser, ServiceIdentity, ...'),
  column('principal_arn', 'text', identity('arn'), 'ARN of the identity'),
  column('principal_key', 'text', known('principalKey'), 'key that joins a person across identities'),
  column('claimed_user', 'text', known('claimedUser'), 'user name as sent, unproven'),
  column('source_ip', 'text', record('sourceIPAddress'), 'address of the client as the proxy saw it'),
  column('user_agent', 'text', record('userAgent'), 'SSH identification string of the client'),
  column(
    'error_code',
    'text',
    record('errorCode'),
    'AccessDenied, AuthenticationFailed, ...; NULL on success',
  ),
  column('error_message', 'text', record('errorMessage'), 'one sentence with the next step'),
  column('session_id', 'text', first(known('sessionId'), happened('sessionId')), 's- and 32 hex digits'),
  column(
    'mfa',
    'flag',
    first(known('mfaAuthenticated'), identity('mfaAuthenticated')),
    'whether a second factor was verified; NULL when nobody said',
  ),
  column('mfa_method', 'text', known('mfaMethod'), 'totp, fido2, certificate, ...'),
  column('mfa_at', 'time', known('mfaAt'), 'when the factor was verified'),
  column('auth_method', 'text', known('authMethod'), 'how the identity was proved'),
  column('key_fingerprint', 'text', known('keyFingerprint'), 'SHA256:... of the key'),
  column('policy_id', 'text', known('policyId'), 'policy that decided'),
  column('policy_version', 'text', known('policyVersion'), 'version of that policy'),
  column('deny_reason', 'text', known('denyReason'), 'reason from a closed list'),
  column('request_id', 'text', known('requestId'), 'access request'),
  column('grant_id', 'text', known('grantId'), 'time-boxed permission used'),
  column('break_glass', 'flag', known('breakGlass'), 'whether emergency access was used'),
  column('proxy_id', 'text', known('proxyId'), 'gateway process'),
  column('target_id', 'text', asked('target'), 'id of the target'),
  column('target_name', 'text', first(asked('targetName'), asked('target')), 'name of the target'),
  column('target_host', 'text', asked('targetHost'), 'address of the target'),
  column('target_user', 'text', asked('targetUser'), 'login on the target'),
  column('target_labels', 'text', asked('targetLabels'), 'env=prod,role=db'),
  column('channel', 'text', asked('channel'), 'shell, exec, subsystem, ...'),
  column('command', 'text', asked('command'), 'command line'),
  column('command_source', 'text', known('commandSource'), 'exec, subsystem, pty, auditd'),
  column('confidence', 'text', known('confidence'), 'how sure a reconstructed command is'),
  column('exit_status', 'count', happened('exitStatus'), 'exit status on the target'),
  column('bytes_in', 'count', happened('bytesIn'), 'bytes from the engineer'),
  column('bytes_out', 'count', happened('bytesOut'), 'bytes to the engineer'),
  column('seconds', 'count', happened('seconds'), 'how long it took'),
  column('exit_signal', 'text', happened('exitSignal'), 'signal that ended it, without SIG'),
  column('path', 'text', asked('path'), 'file transferred'),
  column('direction', 'text', asked('direction'), 'upload or download'),
  column('bytes', 'count', first(happened('bytes'), asked('bytes')), 'bytes moved'),
  column('forward_type', 'text', asked('forwardType'), 'local, remote, dynamic, ...'),
  column('forward_host', 'text', asked('forwardHost'), 'destination of a forward'),
  column('forward_port', 'count', asked('forwardPort'), 'port of that destination'),
  column('end_reason', 'text', happened('endReason'), 'ClientDisconnect, Revoked, ProxyLost, ...'),
  column('runbook_id', 'text', first(asked('runbookId'), known('runbookId')), 'SSH-nnn'),
  column('finding_key', 'text', first(asked('findingKey'), known('findingKey')), 'key of the finding'),
  column('subject_session_id', 'text', asked('subjectSessionId'), 'session a runbook speaks of'),
  column('chain_stream', 'text', known('chainStream'), 'audit stream'),
  column('chain_seq', 'count', known('chainSeq'), 'number in the stream, without gaps'),
  column('chain_hash', 'text', known('chainHash'), 'SHA-256 that the next record names'),
  column('request', 'text', { at: 'json', map: 'requestParameters' }, 'requestParameters as JSON text'),
  column('response', 'text', { at: 'json', map: 'responseElements' }, 'responseElements as JSON text'),
  column(
    'additional',
    'text',
    { at: 'json', map: 'additionalEventData' },
    'additionalEventData as JSON text',
  ),
  column('dt', 'text', { at: 'partition' }, "UTC day the record lies under; dt >= 'YYYY-MM-DD' reads less"),
];
