import { BlobStoreError, type BlobStoreErrorCode } from '#core/blob';
import { printable } from '#core/wording';
import { awsFaultKind } from '../attempts.ts';

/** What was asked of S3: for the words, and for the right that may be missing. */
export type S3Operation = 'PutObject' | 'GetObject' | 'ListBucket' | 'DeleteObject';

export function s3Fault(bucket: string, operation: S3Operation, cause: unknown): BlobStoreError {
  if (cause instanceof BlobStoreError) return cause;
  const writes = operation === 'PutObject' || operation === 'DeleteObject';
  const code: BlobStoreErrorCode = writes ? 'unwritable' : 'unreadable';
  const subject = `the bucket ${JSON.stringify(bucket)} could not be ${writes ? 'written' : 'read'}`;
  return new BlobStoreError(code, `${subject}: ${reasonFor(operation, cause)}`, { cause });
}

function reasonFor(operation: S3Operation, cause: unknown): string {
  const { name, message } = cause instanceof Error ? cause : { name: 'unknown fault', message: '' };
  if (name === 'NoSuchBucket')
    return 'there is no such bucket; deploy the stacks, and look at account and region';
  switch (awsFaultKind(cause)) {
    case 'throttled':
      return 'S3 throttles it (SlowDown); try again';
    case 'unavailable':
      return 'S3 did not answer in time; try again, and look at the network if it goes on';
    case 'denied':
      return `the role here lacks s3:${operation} on it, or the right to use its key (kms:GenerateDataKey, kms:Decrypt); deploy the stacks again`;
    case 'credentials':
      return `there are no credentials that S3 takes (${printable(name)}); renew them, or look at the role`;
    case 'refused':
      return `${printable(`${name}: ${message}`.slice(0, 500))}; see the message of S3`;
  }
}
