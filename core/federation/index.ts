export {
  type FederatedIdentity,
  federatedExtensions,
  type IamCaller,
  identityFromArn,
  type MfaSource,
  parseFederatedExtensions,
} from './federated-identity.ts';
export { type IssuedProof, issuedProofExtensions, parseIssuedProof } from './issued-proof.ts';
