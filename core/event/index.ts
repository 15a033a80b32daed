export * from './access-events.ts';
export * from './activity-events.ts';
export {
  type ApiCall,
  type ApiCaller,
  issueEngineerCertificate,
  type ProvedCaller,
  refuseEngineerCertificate,
  type UnknownApiCaller,
} from './api-events.ts';
export { parseAuditRecord, type RecordFrame, toAuditRecord, uuidV7 } from './audit-record.ts';
export {
  type ConnectionRefusal,
  connectionRefusals,
  type RefusedConnections,
  refuseConnections,
} from './connection-events.ts';
export type { Refusal } from './draft.ts';
export * from './evidence-events.ts';
export { bytesOfEvidenceText, type EvidenceText, evidenceText } from './evidence-text.ts';
export type {
  AuthMethod,
  ConnectionFacts,
  IdentityFacts,
  LoginAttempt,
  MfaFacts,
  SessionFacts,
} from './facts.ts';
export * from './identity-events.ts';
export * from './lock-events.ts';
export * from './login-events.ts';
export * from './proxy-events.ts';
export * from './runbook-events.ts';
export * from './session-events.ts';
