import { GetObjectCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';

type Held = { readonly etag: string; readonly bytes: Uint8Array };

/** Looks at every object of a bucket; one whose ETag has not changed since the last look is not fetched again. */
export function bucketObjects(
  client: S3Client,
  bucket: string,
): () => Promise<ReadonlyMap<string, Uint8Array>> {
  let held: ReadonlyMap<string, Held> = new Map();

  async function fetched(key: string): Promise<Held> {
    const { Body, ETag = '' } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return { etag: ETag, bytes: (await Body?.transformToByteArray()) ?? new Uint8Array() };
  }

  return async () => {
    const found: Promise<readonly [string, Held]>[] = [];
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket }))
      for (const { Key = '', ETag } of Contents) {
        const before = held.get(Key);
        found.push(
          (before !== undefined && before.etag === ETag ? Promise.resolve(before) : fetched(Key)).then(
            (object) => [Key, object] as const,
          ),
        );
      }
    held = new Map(await Promise.all(found));
    return new Map([...held].map(([key, { bytes }]) => [key, bytes]));
  };
}
