import type { APIGatewayProxyEvent } from 'aws-lambda';
import { apiRoutes, mfaRoutePrefix } from '#core/contract';
import type { FederatedIdentity, IamCaller, MfaSource } from '#core/federation';

export type MfaOfCaller = FederatedIdentity['mfa'];

/** What both the route and the path begin with where IAM lets nobody without MFA. */
const withMfa = [apiRoutes.certificateWithMfa, mfaRoutePrefix];

/**
 * What is known of a caller's second factor. IAM lets a request onto some routes only with MFA; of Identity Center it knows nothing, and the
 * account's owner says it. The resource policy judges the path as it was sent, so that has to be spelled as the route is: `%6dfa` proves nothing.
 */
export function mfaOf(
  { type, accountId }: IamCaller,
  /** The route as API Gateway has it, and the path, before which a domain of one's own may put something. */
  { resource, path }: Pick<APIGatewayProxyEvent, 'resource' | 'path'>,
  identityCenterMfaAccounts: readonly string[],
): MfaOfCaller {
  const isMfaRoute = withMfa.some((start) => resource.startsWith(start) && path.includes(start));
  const isDeclared = type === 'IdentityCenterUser' && identityCenterMfaAccounts.includes(accountId);
  const source: MfaSource = isMfaRoute ? 'iam' : isDeclared ? 'identity-center-asserted' : 'none';
  return { verified: source !== 'none', source };
}
