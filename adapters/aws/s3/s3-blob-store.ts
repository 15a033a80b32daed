import { createHash } from 'node:crypto';
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { keyParts } from '#core/blob';
import type { BlobKey, BlobStore } from '#core/contract';
import { type AttemptLimits, attempt, awsFaultKind } from '../attempts.ts';
import { s3Fault } from './s3-fault.ts';

export type S3BlobStoreOptions = {
  /** Make it with maxAttempts 1: what may be repeated is decided here. */
  readonly client: S3Client;
  readonly bucket: string;
  readonly limits?: AttemptLimits;
};

const defaultLimits: AttemptLimits = { deadlineMs: 30_000, attemptMs: 10_000 };

/**
 * Objects of one bucket. A put carries its SHA-256, which S3 verifies, and `If-None-Match: *`. Encryption and retention are the bucket's
 * own settings.
 *
 * Where the answer to a put was lost, the next try may meet the object of the first: then, and only then, an object of the very same
 * bytes counts as stored by this call.
 */
export function createS3BlobStore(options: S3BlobStoreOptions): BlobStore {
  const { client, bucket, limits = defaultLimits } = options;

  async function read(key: BlobKey, range?: string): Promise<GetObjectCommandOutput | undefined> {
    keyParts(key);
    try {
      return await attempt(limits, (abortSignal) =>
        client.send(
          new GetObjectCommand({
            Bucket: bucket,
            Key: key,
            // The checksum is of the whole object, so it says nothing of a part.
            ...(range === undefined ? { ChecksumMode: 'ENABLED' } : { Range: range }),
          }),
          { abortSignal },
        ),
      );
    } catch (error) {
      if (errorName(error) === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  async function bytesOf(key: BlobKey, range?: string): Promise<Buffer | undefined> {
    try {
      // The body is a part of the attempt: a connection that breaks in the middle of it is tried again.
      return await attempt(limits, async () => {
        const output = await read(key, range);
        const bytes = await output?.Body?.transformToByteArray();
        return output === undefined ? undefined : Buffer.from(bytes ?? []);
      });
    } catch (error) {
      throw s3Fault(bucket, 'GetObject', error);
    }
  }

  return {
    async putIfAbsent(key, given) {
      keyParts(key);
      const bytes = Buffer.from(given);
      const sha256 = createHash('sha256').update(bytes).digest('base64');
      let ambiguous = false;
      try {
        await attempt(limits, async (abortSignal) => {
          try {
            await client.send(
              new PutObjectCommand({
                Bucket: bucket,
                Key: key,
                Body: bytes,
                ContentLength: bytes.length,
                ChecksumAlgorithm: 'SHA256',
                ChecksumSHA256: sha256,
                IfNoneMatch: '*',
              }),
              { abortSignal },
            );
          } catch (error) {
            // Another conditional put of the key is under way; S3 says to try again.
            if (errorName(error) === 'ConditionalRequestConflict') throw asThrottled(error);
            if (awsFaultKind(error) === 'unavailable') ambiguous = true;
            throw error;
          }
        });
        return 'stored';
      } catch (error) {
        if (errorName(error) !== 'PreconditionFailed') throw s3Fault(bucket, 'PutObject', error);
      }
      if (!ambiguous) return 'exists';
      const there = await bytesOf(key);
      return there?.equals(bytes) === true ? 'stored' : 'exists';
    },

    get: (key) => bytesOf(key),

    async getRange(key, offset, length) {
      for (const [what, value] of [
        ['offset', offset],
        ['length', length],
      ] as const)
        if (!Number.isSafeInteger(value) || value < 0)
          throw new RangeError(`the ${what} of a range is a whole number from 0, not ${value}`);
      // HTTP knows no empty range; one byte tells whether the object is there.
      const last = offset + Math.max(1, length) - 1;
      try {
        const bytes = await bytesOf(key, `bytes=${offset}-${last}`);
        return bytes?.subarray(0, length);
      } catch (error) {
        // Beyond the end, or of an empty object.
        if (error instanceof Error && errorName(error.cause) === 'InvalidRange') return Buffer.alloc(0);
        throw error;
      }
    },

    async *list(prefix) {
      let token: string | undefined;
      do {
        let page: ListObjectsV2CommandOutput;
        try {
          page = await attempt(limits, (abortSignal) =>
            client.send(
              new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }),
              { abortSignal },
            ),
          );
        } catch (error) {
          throw s3Fault(bucket, 'ListBucket', error);
        }
        for (const { Key, Size } of page.Contents ?? [])
          if (Key !== undefined) yield { key: Key, size: Size ?? 0 };
        token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
    },
  };
}

function errorName(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

function asThrottled(cause: unknown): Error {
  const error = new Error('another conditional put of the key is under way', { cause });
  error.name = 'RequestThrottled';
  return error;
}
