export { type OriginalOpener, openOriginal } from './open-original.ts';
export { type OriginalSealer, sealOriginal } from './seal-original.ts';
export { SealingError, type SealingErrorCode } from './sealing-error.ts';
export { parseSealingKey, type SealingKey, sealingKeyOf, sealingKeyText } from './sealing-key.ts';
