export { ControlStoreError, type ControlStoreErrorCode } from '#core/control';
export { JournalError, type JournalErrorCode } from '#core/journal';
export { createFolderBlobStore } from './blob-store/folder-blob-store.ts';
export { openSqliteControlStore } from './control-store/sqlite-control-store.ts';
export {
  type DuckDbEngineOptions,
  openDuckDbEngine,
  openTemporaryLake,
  type TemporaryLake,
} from './duckdb/index.ts';
export { type JournalOptions, type OpenedJournal, openJournal } from './journal/journal.ts';
export { type OpenSegmentFile, openSegmentFiles } from './journal/segment-files.ts';
export type { DigestSettings } from './journal/segment-signer.ts';
export { verifyLake, verifyLakeFolder } from './journal/verify-lake.ts';
export { createConsoleNotifier } from './notifier/console-notifier.ts';
export { NotifierError, type NotifierErrorCode } from './notifier/notifier-error.ts';
export { createWebhookNotifier, type WebhookOptions } from './notifier/webhook-notifier.ts';
export { createFileSigner, openFileSigner } from './signer/file-signer.ts';
export { SignerError, type SignerErrorCode } from './signer/signer-error.ts';
