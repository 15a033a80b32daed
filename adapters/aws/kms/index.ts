export { KmsError, type KmsErrorCode, openKmsSigner } from './kms-signer.ts';
