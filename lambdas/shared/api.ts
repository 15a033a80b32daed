import { isIP } from 'node:net';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import type { ApiCall, UnknownApiCaller } from '#core/event';
import { type IamCaller, identityFromArn } from '#core/federation';
import type { Invocation } from './invocation.ts';
import type { Log } from './log.ts';
import type { Count } from './metrics.ts';

/** Whom API Gateway says IAM proved to be calling, or why that is nobody. */
export type ApiIdentity =
  | { readonly ok: true; readonly call: ApiCall; readonly caller: IamCaller }
  | {
      readonly ok: false;
      readonly call: UnknownApiCaller;
      readonly reason: 'test-call' | 'unusable-identity';
      readonly message: string;
    };

/**
 * A test call from API Gateway's console is nobody's: it passes by the resource policy, so that its route proves nothing.
 */
export function apiIdentity(event: APIGatewayProxyEvent): ApiIdentity {
  const { identity, requestId, stage } = event.requestContext;
  const arn = identity.userArn ?? '';
  const principalId = identity.caller ?? '';
  const accountId = identity.accountId ?? '';
  const isTest = isIP(identity.sourceIp) === 0 || stage === 'test-invoke-stage';
  const call: ApiCall = {
    ...(isTest ? {} : { sourceIp: identity.sourceIp }),
    userAgent: identity.userAgent ?? '',
    requestId,
  };
  const nobody = (reason: 'test-call' | 'unusable-identity', message: string): ApiIdentity => ({
    ok: false,
    call: { ...call, claimedArn: arn, claimedAccount: accountId, claimedPrincipalId: principalId },
    reason,
    message,
  });
  if (isTest)
    return nobody(
      'test-call',
      'a test call of the console proves nothing; call the URL of the deployed stage',
    );
  const read = identityFromArn(arn, principalId);
  if (!read.ok) return nobody('unusable-identity', read.message);
  if (read.caller.accountId !== accountId)
    return nobody('unusable-identity', 'the account of the caller is not that of the ARN');
  return { ok: true, call, caller: read.caller };
}

/** The body as it was sent. */
export function bodyOf(event: APIGatewayProxyEvent): Buffer {
  return Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
}

export function jsonResponse(
  statusCode: number,
  body: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
): APIGatewayProxyResult {
  return {
    statusCode,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'",
      'x-content-type-options': 'nosniff',
      'strict-transport-security': 'max-age=63072000',
      ...headers,
    },
    body: JSON.stringify(body),
  };
}

/** An error for whoever called: a code for programs, one sentence that says what to do for people. */
export function errorResponse(
  statusCode: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): APIGatewayProxyResult {
  return jsonResponse(statusCode, { error: { code, message } }, headers);
}

/**
 * Does the work of a function that somebody waits for, and closes its invocation. A fault is an answer, too, so it is counted for
 * the alarm; outside, only the request's id is of use. What was recorded is durable before it is sealed, and the seal function completes it: so
 * the answer goes out also where that failed.
 */
export async function answering(
  invocation: Invocation,
  told: { readonly log: Log; readonly count: Count; readonly requestId: string },
  work: () => Promise<APIGatewayProxyResult>,
): Promise<APIGatewayProxyResult> {
  const { log, count, requestId } = told;
  try {
    return await work();
  } catch (error) {
    log.error('the call failed', error);
    count('ApiFailures', 1);
    return errorResponse(
      503,
      'unavailable',
      `that could not be done; try again, and if it goes on, tell who runs sshtrail this id: ${requestId}`,
    );
  } finally {
    await invocation.close().catch((error: unknown) => {
      log.error('what was recorded could not be sealed; the seal function completes it', error);
      count('ApiFailures', 1);
    });
  }
}
