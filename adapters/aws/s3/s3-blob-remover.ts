import { DeleteObjectsCommand, type S3Client } from '@aws-sdk/client-s3';
import { BlobStoreError, keyParts } from '#core/blob';
import type { BlobKey } from '#core/contract';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { s3Fault } from './s3-fault.ts';

/** Removes objects; for what is kept elsewhere by then. A key that is not there is no fault. */
export type BlobRemover = { remove(keys: readonly BlobKey[]): Promise<void> };

const keysPerCall = 1000;
const limits: AttemptLimits = { deadlineMs: 30_000, attemptMs: 10_000 };

/** @throws BlobStoreError `unwritable`; some of the keys may be gone then. */
export function createS3BlobRemover({
  client,
  bucket,
}: {
  readonly client: S3Client;
  readonly bucket: string;
}): BlobRemover {
  return {
    async remove(keys) {
      for (const key of keys) keyParts(key);
      for (let from = 0; from < keys.length; from += keysPerCall) {
        const objects = keys.slice(from, from + keysPerCall).map((Key) => ({ Key }));
        try {
          const { Errors = [] } = await attempt(limits, (abortSignal) =>
            client.send(
              new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects, Quiet: true } }),
              { abortSignal },
            ),
          );
          const [failed] = Errors;
          if (failed !== undefined)
            throw new BlobStoreError(
              'unwritable',
              `${Errors.length} objects of the bucket ${JSON.stringify(bucket)} could not be removed, the first for ${failed.Code ?? 'no reason'}; the role here needs s3:DeleteObject on it`,
            );
        } catch (error) {
          throw s3Fault(bucket, 'DeleteObject', error);
        }
      }
    },
  };
}
