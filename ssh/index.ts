/** The SSH protocol engine (RFC 4251-4254) as a library: both roles, over any byte stream, message-level relay. */
export {
  algorithmProfiles,
  modernAlgorithms,
  type ProfileName,
  targetAlgorithms,
} from './algorithms/index.ts';
export {
  type AuthenticatedUser,
  AuthenticationError,
  authenticateToTarget,
  authenticateUser,
  type ClientCredential,
  type InfoRequest,
  type KeyboardInteractiveStep,
  type MethodVerdict,
  type OfferedKey,
  type ProvenKey,
  type ServerAuthenticator,
} from './authentication/index.ts';
export {
  type Certificate,
  CertificateError,
  type CertificateRefusal,
  type CertificateSpec,
  formatCertificateLine,
  isCertificateType,
  mintCertificate,
  parseCertificate,
  userExtensions,
  verifyCertificate,
} from './certificate/index.ts';
export type { ChannelOpen, ChannelRequest, GlobalRequest } from './connection/index.ts';
export {
  connectClient,
  createEndpoint,
  type EndpointChannel,
  type OpenDecision,
} from './endpoint/index.ts';
export {
  formatKnownHostsLine,
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  KeyError,
  type PrivateKey,
  type PublicKey,
  parsePrivateKey,
  parsePublicKey,
  parsePublicKeyLine,
  privateKeyAsRemoteSigner,
  type RemoteSigner,
  remoteSigner,
  type SecurityKeyAssertion,
} from './keys/index.ts';
export {
  createRelay,
  type DataVerdict,
  type HeldVerdict,
  type Relay,
  type RelayChannel,
  type RelayEnd,
  type RelayGates,
  type RelayTaps,
  type Verdict,
} from './relay/index.ts';
export {
  type AlgorithmPreferences,
  adoptConnection,
  type ByteLink,
  connectSocket,
  createTransport,
  type HostKey,
  linkFromDuplex,
  linkFromSocket,
  presentableAlgorithms,
  type Transport,
  type TransportEnd,
  TransportError,
  whenEnded,
} from './transport/index.ts';
export { DisconnectReason } from './wire/index.ts';
