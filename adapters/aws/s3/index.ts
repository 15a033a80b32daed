export { type BlobRemover, createS3BlobRemover } from './s3-blob-remover.ts';
export { createS3BlobStore, type S3BlobStoreOptions } from './s3-blob-store.ts';
