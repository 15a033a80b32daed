import type { QueryExecutionStatus } from '@aws-sdk/client-athena';
import { QueryError } from '#core/lake';
import { printable } from '#core/wording';
import { awsFaultKind } from '../attempts.ts';

export type AthenaOperation =
  | 'StartQueryExecution'
  | 'GetQueryExecution'
  | 'GetQueryResults'
  | 'StopQueryExecution';

/** Text of the service, fit for a terminal and of bounded length. */
export function serviceText(text: string): string {
  const cut = text.length > 1_000 ? `${text.slice(0, 1_000)}...` : text;
  return printable(cut.replace(/\s+/g, ' ').trim());
}

/** A fault of a call, in the port's words. */
export function athenaFault(operation: AthenaOperation, cause: unknown): QueryError {
  if (cause instanceof QueryError) return cause;
  const { name, message } =
    cause instanceof Error ? cause : { name: 'an unknown fault', message: String(cause) };
  switch (awsFaultKind(cause)) {
    case 'denied':
      return new QueryError(
        'denied',
        `the role here may not call athena:${operation} on this workgroup; deploy the stacks again (${serviceText(message)})`,
        { cause },
      );
    case 'credentials':
      return new QueryError(
        'unavailable',
        `Athena takes no credentials from here (${serviceText(name)}); renew them`,
        { cause },
      );
    case 'throttled':
    case 'unavailable':
      return new QueryError('unavailable', `Athena did not answer (${serviceText(name)}); try again`, {
        cause,
      });
    case 'refused':
      return new QueryError('invalid', `Athena refused the query: ${serviceText(message || name)}`, {
        cause,
      });
  }
}

/** Why a query that ended without rows did. */
export function athenaFailure(status: QueryExecutionStatus): QueryError {
  const reason = serviceText(status.StateChangeReason ?? status.AthenaError?.ErrorMessage ?? '');
  const because = reason === '' ? 'without a reason' : reason;
  // Athena calls a query that was cut off by its workgroup cancelled, and says this in the reason.
  if (/bytes scanned limit was exceeded/i.test(reason))
    return new QueryError(
      'scan-limit',
      "the query would read more than the workgroup allows one query to; narrow it with dt, or raise the workgroup's limit",
    );
  if (status.State === 'CANCELLED')
    return new QueryError('cancelled', `the query was stopped at Athena: ${because}; run it again`);
  if (/access denied|insufficient permissions|not authorized/i.test(reason))
    return new QueryError(
      'denied',
      `Athena may not read what the query reads: ${because}; see the rights of the role on the bucket, its key and the Glue tables`,
    );
  if (/^HIVE_(BAD_DATA|CURSOR_ERROR|CANNOT_OPEN_SPLIT|INVALID_METADATA)/.test(reason))
    return new QueryError(
      'unreadable',
      `Athena could not read an object of the lake: ${because}; run sshtrail verify`,
    );
  // 1 is Athena's own fault, 2 the statement's, 3 neither.
  if (status.AthenaError?.Retryable === true || status.AthenaError?.ErrorCategory === 1)
    return new QueryError('unavailable', `Athena failed by itself: ${because}; try again`);
  return new QueryError('invalid', `the query failed at Athena: ${because}`);
}
