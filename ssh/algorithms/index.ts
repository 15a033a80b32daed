export { AlgorithmError } from './algorithm-error.ts';
export { expectMac, isAuthenticatedCipher, openerNamed, sealerNamed } from './cipher-table.ts';
export { giveBack } from './give-back.ts';
export { type HostKeyAlgorithm, hostKeyAlgorithmNamed } from './host-key-algorithm.ts';
export { deriveSecrets, exchangeHash, type SecretLengths } from './key-derivation.ts';
export type { KeyExchangeInitiator } from './key-exchange-method.ts';
export { keyExchangeNamed } from './key-exchange-table.ts';
export type { PacketOpener, PacketSealer } from './packet-cipher.ts';
export { plainOpener, plainSealer } from './plain-packets.ts';
export {
  type AlgorithmProfile,
  algorithmProfiles,
  modernAlgorithms,
  type ProfileName,
  targetAlgorithms,
} from './profile.ts';
