export type {
  PrivateKey,
  PublicKey,
  RemoteSigner,
  SecurityKeyAssertion,
  SignatureAlgorithm,
  Verification,
} from './contract.ts';
export { KeyError, type KeyErrorCode } from './key-error.ts';
export { isPlainText } from './plain-text.ts';
export { generatePrivateKey, type PrivateKeyType } from './private-key.ts';
export { ed25519SecretFields, formatPrivateKey, parsePrivateKey } from './private-key-file.ts';
export { parsePublicKey, readPublicKeyFields } from './public-key.ts';
export {
  formatKeyLine,
  formatKnownHostsLine,
  formatPublicKeyLine,
  parsePublicKeyLine,
  splitKeyLine,
} from './public-key-line.ts';
export { rawBytesOf, rawPublicKey } from './raw-public-key.ts';
export { privateKeyAsRemoteSigner, type RemoteSignerSource, remoteSigner } from './remote-signer.ts';
