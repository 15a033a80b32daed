import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';

/** What API Gateway says of who calls; it verified the signature. */
export type RequestIdentity = {
  readonly arn: string;
  readonly principalId: string;
  readonly accountId: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  readonly requestId: string;
};

export function requestIdentity(event: APIGatewayProxyEvent): RequestIdentity {
  const { identity, requestId } = event.requestContext;
  return {
    arn: identity.userArn ?? '',
    principalId: identity.caller ?? '',
    accountId: identity.accountId ?? '',
    sourceIp: identity.sourceIp,
    userAgent: identity.userAgent ?? '',
    requestId,
  };
}

/** The body as it was sent. */
export function bodyOf(event: APIGatewayProxyEvent): Buffer {
  return Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
}

export function jsonResponse(
  statusCode: number,
  body: Readonly<Record<string, unknown>>,
): APIGatewayProxyResult {
  return {
    statusCode,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'strict-transport-security': 'max-age=63072000',
    },
    body: JSON.stringify(body),
  };
}

/** An error for whoever called: a code for programs, one sentence that says what to do for people. */
export function errorResponse(statusCode: number, code: string, message: string): APIGatewayProxyResult {
  return jsonResponse(statusCode, { error: { code, message } });
}
