export { AuthenticationError } from './authentication-error.ts';
export { authenticateToTarget } from './client.ts';
export type {
  AuthenticatedUser,
  ClientAuthenticationOptions,
  ClientCredential,
  InfoRequest,
  KeyboardInteractiveStep,
  MethodVerdict,
  OfferedKey,
  ProvenKey,
  ServerAuthenticationOptions,
  ServerAuthenticator,
} from './contract.ts';
export { authenticateUser } from './server.ts';
export { acceptedSignatureAlgorithms } from './signature-use.ts';
