import { ControlStoreError, type ControlStoreErrorCode } from '#core/control';
import { printable } from '#core/wording';
import { awsFaultKind } from '../attempts.ts';

/** What was asked of DynamoDB: for the words, and for the right that may be missing. */
export type ControlOperation = 'GetItem' | 'Query' | 'UpdateItem' | 'DeleteItem';

/** The fault in the store's words; one that is the store's already stays as it is. */
export function controlFault(table: string, operation: ControlOperation, cause: unknown): ControlStoreError {
  if (cause instanceof ControlStoreError) return cause;
  const reads = operation === 'GetItem' || operation === 'Query';
  const code: ControlStoreErrorCode = reads ? 'unreadable' : 'unwritable';
  const subject = `the control table ${JSON.stringify(table)} could not be ${reads ? 'read' : 'written'}`;
  return new ControlStoreError(code, `${subject}: ${reasonFor(operation, cause)}`, { cause });
}

function reasonFor(operation: ControlOperation, cause: unknown): string {
  const { name, message } = cause instanceof Error ? cause : { name: 'unknown fault', message: '' };
  switch (awsFaultKind(cause)) {
    case 'throttled':
      return "DynamoDB throttles it; try again, and look at the table's throttling metrics if it goes on";
    case 'unavailable':
      return operation === 'UpdateItem' || operation === 'DeleteItem'
        ? 'DynamoDB did not answer in time, so that it may have happened or not; read it again'
        : 'DynamoDB did not answer in time; try again, and look at the network and the service if it goes on';
    case 'denied':
      return `the role here lacks dynamodb:${operation} on it, or the right to use its key; deploy the stacks again`;
    case 'credentials':
      return `there are no credentials that DynamoDB takes (${printable(name)}); renew them, or look at the role`;
    case 'refused':
      return name === 'ResourceNotFoundException'
        ? 'there is no such table or index; deploy the stacks, and look at account and region'
        : `${printable(`${name}: ${message}`.slice(0, 500))}; see the message of DynamoDB`;
  }
}
