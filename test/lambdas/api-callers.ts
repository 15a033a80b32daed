import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { FakeCaller } from '../fakes/aws/api-gateway.ts';
import type { PolicyStatement } from '../fakes/aws/resource-policy.ts';

const account = '123456789012';

function caller(n: number, arn: string, principalId: string, mfa: boolean | undefined): FakeCaller {
  return {
    accessKeyId: `${mfa === undefined ? 'AKIA' : 'ASIA'}EXAMPLE${n}`,
    secretAccessKey: `wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY${n}`,
    ...(mfa === undefined ? {} : { sessionToken: `token/${n}+==` }),
    arn,
    principalId,
    mfa,
  };
}

const role = (name: string, session: string, of = account) =>
  `arn:aws:sts::${of}:assumed-role/${name}/${session}`;

/** Who calls the API, with credentials of each kind. */
export const callers = {
  withMfa: caller(1, role('Engineer', 'alice'), 'AROAEXAMPLE1:alice', true),
  withoutMfa: caller(2, role('Engineer', 'bob'), 'AROAEXAMPLE1:bob', false),
  longTermKey: caller(3, `arn:aws:iam::${account}:user/ops/carol`, 'AIDAEXAMPLE3', undefined),
  identityCenter: caller(
    4,
    role('AWSReservedSSO_Engineer_0123456789abcdef', 'dora@example.com'),
    'AROAEXAMPLE4:dora@example.com',
    false,
  ),
  otherAccount: caller(5, role('Engineer', 'eve', '111122223333'), 'AROAEXAMPLE5:eve', true),
} as const;

/** As the Control stack has them. */
export const resourcePolicy: readonly PolicyStatement[] = [
  {
    Sid: 'Accounts',
    Effect: 'Allow',
    Principal: {
      AWS: [
        {
          'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':iam::', { Ref: 'AWS::AccountId' }, ':root']],
        },
        'arn:aws:iam::111122223333:root',
      ],
    },
    Action: 'execute-api:Invoke',
    Resource: 'execute-api:/*',
  },
  {
    Sid: 'MfaMeansMfa',
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Action: 'execute-api:Invoke',
    Resource: ['execute-api:/*/POST/v1/certificates/mfa', 'execute-api:/*/v1/mfa/*'],
    Condition: { BoolIfExists: { 'aws:MultiFactorAuthPresent': 'false' } },
  },
];

/** As API Gateway makes it of a call by `callers.withMfa`; what it says of the caller may be changed. */
export function apiEvent(
  call: Pick<APIGatewayProxyEvent, 'resource' | 'pathParameters' | 'body'>,
  identity: Partial<APIGatewayProxyEvent['requestContext']['identity']> = {},
): APIGatewayProxyEvent {
  const { arn, principalId } = callers.withMfa;
  const path = call.resource.replace(/\{(\w+)\}/g, (_, name: string) => call.pathParameters?.[name] ?? '');
  return {
    ...call,
    path,
    httpMethod: 'POST',
    headers: {},
    multiValueHeaders: {},
    queryStringParameters: null,
    multiValueQueryStringParameters: null,
    stageVariables: null,
    isBase64Encoded: false,
    requestContext: {
      accountId: account,
      apiId: 'a1b2c3d4e5',
      authorizer: null,
      httpMethod: 'POST',
      path: `/live${path}`,
      protocol: 'HTTP/1.1',
      requestId: '0f8fad5b-d9cb-469f-a165-70867728950e',
      requestTimeEpoch: 1_795_169_730_412,
      resourceId: 'r1',
      resourcePath: call.resource,
      stage: 'live',
      identity: {
        accessKey: 'ASIAEXAMPLE1',
        accountId: account,
        apiKey: null,
        apiKeyId: null,
        caller: principalId,
        clientCert: null,
        cognitoAuthenticationProvider: null,
        cognitoAuthenticationType: null,
        cognitoIdentityId: null,
        cognitoIdentityPoolId: null,
        principalOrgId: null,
        sourceIp: '203.0.113.9',
        user: principalId,
        userAgent: 'aws-cli/2',
        userArn: arn,
        ...identity,
      },
    },
  };
}
