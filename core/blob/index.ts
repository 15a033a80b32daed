export { keyParts, unfinishedPrefix } from './blob-key.ts';
export { BlobStoreError, type BlobStoreErrorCode } from './blob-store-error.ts';
