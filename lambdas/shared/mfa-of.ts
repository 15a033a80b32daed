import { apiRoutes, mfaRoutePrefix } from '#core/contract';
import type { FederatedIdentity, IamCaller, MfaSource } from '#core/federation';

export type MfaOfCaller = FederatedIdentity['mfa'];

/**
 * What is known of a caller's second factor. IAM lets a request onto some routes only with MFA; of Identity Center it knows nothing, and the
 * account's owner says it.
 */
export function mfaOf(
  { type, accountId }: IamCaller,
  /** The route as API Gateway has it. */
  resource: string,
  identityCenterMfaAccounts: readonly string[],
): MfaOfCaller {
  const isMfaRoute = resource === apiRoutes.certificateWithMfa || resource.startsWith(mfaRoutePrefix);
  const isDeclared = type === 'IdentityCenterUser' && identityCenterMfaAccounts.includes(accountId);
  const source: MfaSource = isMfaRoute ? 'iam' : isDeclared ? 'identity-center-asserted' : 'none';
  return { verified: source !== 'none', source };
}
