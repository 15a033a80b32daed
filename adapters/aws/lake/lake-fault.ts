import { QueryError } from '#core/lake';
import { serviceText } from '../athena/athena-fault.ts';
import { awsFaultKind } from '../attempts.ts';

export type LakeOperation = 'StartQuery' | 'DescribeQuery' | 'GetQueryResults' | 'CancelQuery';

/** Ten queries run already; one of them will end. */
export function isAtItsLimit(error: unknown): boolean {
  return error instanceof Error && error.name === 'MaxConcurrentQueriesException';
}

/** A fault of a call, in the port's words. */
export function lakeFault(operation: LakeOperation, cause: unknown): QueryError {
  if (cause instanceof QueryError) return cause;
  const { name, message } =
    cause instanceof Error ? cause : { name: 'an unknown fault', message: String(cause) };
  if (name === 'EventDataStoreNotFoundException' || name === 'InactiveEventDataStoreException')
    return new QueryError(
      'unavailable',
      `the event data store is not there or takes no queries; look at it in CloudTrail, or run on Athena (${serviceText(message)})`,
      { cause },
    );
  if (name === 'UnsupportedOperationException')
    return new QueryError(
      'unavailable',
      'CloudTrail Lake is closed to this account, as to every new one since 31 May 2026; run on Athena',
      { cause },
    );
  switch (awsFaultKind(cause)) {
    case 'denied':
      return new QueryError(
        'denied',
        `the role here may not call cloudtrail:${operation} on the event data store; deploy the stacks again (${serviceText(message)})`,
        { cause },
      );
    case 'credentials':
      return new QueryError(
        'unavailable',
        `CloudTrail takes no credentials from here (${serviceText(name)}); renew them`,
        { cause },
      );
    case 'throttled':
    case 'unavailable':
      return new QueryError('unavailable', `CloudTrail did not answer (${serviceText(name)}); try again`, {
        cause,
      });
    case 'refused':
      return new QueryError('invalid', `CloudTrail Lake refused the query: ${serviceText(message || name)}`, {
        cause,
      });
  }
}

/** Why a query that ended without rows did. */
export function lakeFailure(
  status: 'FAILED' | 'CANCELLED' | 'TIMED_OUT',
  message: string | undefined,
): QueryError {
  const reason = message === undefined || message === '' ? 'without a reason' : serviceText(message);
  switch (status) {
    case 'CANCELLED':
      return new QueryError(
        'cancelled',
        `the query was cancelled at CloudTrail Lake: ${reason}; run it again`,
      );
    case 'TIMED_OUT':
      return new QueryError(
        'deadline',
        `the query ran longer than CloudTrail Lake allows (${reason}); narrow its time`,
      );
    case 'FAILED':
      return new QueryError('invalid', `the query failed at CloudTrail Lake: ${reason}`);
  }
}
