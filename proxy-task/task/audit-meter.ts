import type { AuditRecord } from '#core/contract';
import type { Metric } from './metric-line.ts';

/** Counts what passes through the journal, for the metrics of a minute. */
export type AuditMeter = {
  count(record: AuditRecord): void;
  /** What was counted since the last call. */
  take(): readonly Metric[];
};

export function createAuditMeter(): AuditMeter {
  let events = 0;
  let sessions = 0;
  let withoutMfa = 0;
  let denied = 0;
  let failedLogins = 0;
  let lakeLosses = 0;
  return {
    count(record) {
      events += 1;
      if (record.eventName === 'StartSession') {
        sessions += 1;
        if (record.additionalEventData['mfaAuthenticated'] !== 'true') withoutMfa += 1;
      }
      if (record.eventName === 'ReportAuditLoss' && record.requestParameters['subject'] === 'cloudtrail-lake')
        lakeLosses += 1;
      if (record.errorCode === 'AccessDenied') denied += 1;
      if (record.errorCode === 'AuthenticationFailed' || record.errorCode === 'MfaFailed') failedLogins += 1;
    },
    take() {
      const counts = {
        Events: events,
        SessionsStarted: sessions,
        SessionsWithoutMfa: withoutMfa,
        AccessDenied: denied,
        FailedLogins: failedLogins,
        LakeLosses: lakeLosses,
      };
      events = sessions = withoutMfa = denied = failedLogins = lakeLosses = 0;
      return Object.entries(counts).map(([name, value]) => ({ name, unit: 'Count', value }));
    },
  };
}
