import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import { evaluatePolicy, type PolicyStatement } from './resource-policy.ts';
import { type SignatureVerdict, verifySigv4 } from './verify-sigv4.ts';

export type FakeApiHandler = (
  event: APIGatewayProxyEvent,
  context: Context,
) => Promise<APIGatewayProxyResult>;

export type FakeRoute = {
  readonly method: string;
  /** E.g. `/v1/sessions/{sessionId}/revoke`. */
  readonly path: string;
  readonly handler: FakeApiHandler;
};

export type FakeCaller = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials; then it must be sent and signed. */
  readonly sessionToken?: string;
  readonly arn: string;
  /** `AIDA...`, or `AROA...:session`. */
  readonly principalId: string;
  /** Absent: a long-term key, which has no aws:MultiFactorAuthPresent. */
  readonly mfa?: boolean | undefined;
  /** Whether the caller's own policies allow the call; they do unless told. */
  readonly identityPolicyAllows?: boolean;
};

export type FakeApiOptions = {
  readonly routes: readonly FakeRoute[];
  /** Statements as in a synthesised template. None: only the caller's own policies count. */
  readonly resourcePolicy?: readonly PolicyStatement[];
  readonly credentials: readonly FakeCaller[];
  /** Of the API; 123456789012 when absent. */
  readonly account?: string;
  readonly region?: string;
  readonly stage?: string;
  /** What the gateway sees as the caller's address; 127.0.0.1 when absent. */
  readonly sourceIp?: string;
  readonly now?: () => number;
};

export type FakeApi = {
  /** With the stage, without a slash at its end. */
  readonly url: string;
  /** What handlers threw or answered wrongly, for which the caller saw a 502. */
  readonly faults: readonly unknown[];
  close(): Promise<void>;
};

type Api = Required<FakeApiOptions> & { readonly apiId: string; readonly faults: unknown[] };

const maxBodyBytes = 10 * 1024 * 1024;

/** A REST API with AWS_IAM authorisation and proxy integrations, over HTTP on 127.0.0.1. */
export async function startFakeApi(options: FakeApiOptions): Promise<FakeApi> {
  const api: Api = {
    resourcePolicy: [],
    account: '123456789012',
    region: 'eu-central-1',
    stage: 'live',
    sourceIp: '127.0.0.1',
    now: Date.now,
    ...options,
    apiId: 'a1b2c3d4e5',
    faults: [],
  };
  const server = createServer((incoming, outgoing) => {
    void serve(api, incoming, outgoing).catch((error: unknown) => {
      api.faults.push(error);
      answer(outgoing, 502, { message: 'Internal server error' });
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/${api.stage}`,
    faults: api.faults,
    async close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(api: Api, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const body = await bodyOf(incoming);
  if (body === undefined) return answer(outgoing, 413, { message: 'Request Too Long' });
  const [path = '', query = ''] = (incoming.url ?? '/').split('?', 2);
  const method = incoming.method ?? 'GET';
  const call = { method, path, query, headers: incoming.headers, body };
  const scope = { service: 'execute-api', region: api.region };
  const verdict = verifySigv4(call, scope, (id) => callerOf(api, id), api.now());
  if (!verdict.ok) return answer(outgoing, 403, { message: refusals[verdict.why] });
  const caller = callerOf(api, verdict.accessKeyId);
  const route = routeOf(api, method, path);
  // As the real one says where it has no such method.
  if (caller === undefined || route === undefined)
    return answer(outgoing, 403, { message: 'Missing Authentication Token' });
  const resource = `arn:aws:execute-api:${api.region}:${api.account}:${api.apiId}/${api.stage}/${method}${route.inner}`;
  const refusal = refusalOf(api, caller, resource);
  if (refusal !== undefined) return answer(outgoing, 403, { Message: refusal });
  const event = eventOf(api, caller, route, call);
  const result = await route.handler(event, contextOf());
  send(outgoing, result);
}

const refusals: Readonly<Record<Extract<SignatureVerdict, { ok: false }>['why'], string>> = {
  missing: 'Missing Authentication Token',
  incomplete:
    "Authorization header requires 'Credential' parameter, 'Signature' parameter and 'SignedHeaders'.",
  'unknown-key': 'The security token included in the request is invalid.',
  expired: 'Signature expired: the time of the request is too far from now.',
  mismatch:
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
};

function callerOf({ credentials }: Api, accessKeyId: string): FakeCaller | undefined {
  return credentials.find((caller) => caller.accessKeyId === accessKeyId);
}

type FoundRoute = FakeRoute & {
  readonly inner: string;
  readonly parameters: Readonly<Record<string, string>> | null;
};

function routeOf(api: Api, method: string, path: string): FoundRoute | undefined {
  const prefix = `/${api.stage}`;
  if (!path.startsWith(`${prefix}/`)) return undefined;
  const inner = path.slice(prefix.length);
  for (const route of api.routes) {
    const names = [...route.path.matchAll(/\{(\w+)\}/g)].flatMap(([, name]) => name ?? []);
    const match = new RegExp(`^${route.path.replace(/\{\w+\}/g, '([^/]+)')}$`).exec(inner);
    if (route.method !== method || match === null) continue;
    const parameters = names.map((name, index) => [name, decoded(match[index + 1] ?? '')] as const);
    return { ...route, inner, parameters: names.length === 0 ? null : Object.fromEntries(parameters) };
  }
  return undefined;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Why the call may not be made. Within the account either policy may allow it, from another both must; a Deny always counts. */
function refusalOf(api: Api, caller: FakeCaller, resource: string): string | undefined {
  const account = accountOf(caller);
  const values = {
    'AWS::Partition': 'aws',
    'AWS::AccountId': api.account,
    'AWS::Region': api.region,
    'AWS::URLSuffix': 'amazonaws.com',
  };
  const context = new Map([
    ['aws:sourceip', api.sourceIp],
    ['aws:principalarn', caller.arn],
    ['aws:principalaccount', account],
    ...(caller.mfa === undefined ? [] : [['aws:multifactorauthpresent', String(caller.mfa)] as const]),
  ]);
  const request = {
    principalArn: caller.arn,
    principalAccount: account,
    action: 'execute-api:Invoke',
    resourceArn: resource,
    context,
  };
  const verdict = evaluatePolicy(api.resourcePolicy, request, values);
  const user = `User: ${caller.arn} is not authorized to perform: execute-api:Invoke on resource: ${resource}`;
  if (verdict === 'deny') return `${user} with an explicit deny`;
  const own = caller.identityPolicyAllows ?? true;
  const isAllowed = account === api.account ? own || verdict === 'allow' : own && verdict === 'allow';
  return isAllowed ? undefined : user;
}

function accountOf({ arn }: FakeCaller): string {
  return arn.split(':')[4] ?? '';
}

function eventOf(
  api: Api,
  caller: FakeCaller,
  route: FoundRoute,
  call: { readonly query: string; readonly headers: IncomingMessage['headers']; readonly body: Buffer },
): APIGatewayProxyEvent {
  const pairs = [...new URLSearchParams(call.query)];
  const headers = Object.entries(call.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value : [value]] as const],
  );
  const { inner, method, path, parameters } = route;
  return {
    resource: path,
    path: inner,
    httpMethod: method,
    headers: Object.fromEntries(headers.map(([name, values]) => [name, values.at(-1)])),
    multiValueHeaders: Object.fromEntries(headers),
    queryStringParameters: pairs.length === 0 ? null : Object.fromEntries(pairs),
    multiValueQueryStringParameters:
      pairs.length === 0
        ? null
        : Object.fromEntries(
            pairs.map(([name]) => [
              name,
              pairs.filter(([other]) => other === name).map(([, value]) => value),
            ]),
          ),
    pathParameters: parameters,
    stageVariables: null,
    requestContext: {
      accountId: api.account,
      apiId: api.apiId,
      authorizer: null,
      domainName: `${api.apiId}.execute-api.${api.region}.amazonaws.com`,
      extendedRequestId: 'JKJaXmPLvHcESHA=',
      httpMethod: method,
      identity: {
        accessKey: caller.accessKeyId,
        accountId: accountOf(caller),
        apiKey: null,
        apiKeyId: null,
        caller: caller.principalId,
        clientCert: null,
        cognitoAuthenticationProvider: null,
        cognitoAuthenticationType: null,
        cognitoIdentityId: null,
        cognitoIdentityPoolId: null,
        principalOrgId: null,
        sourceIp: api.sourceIp,
        user: caller.principalId,
        userAgent: call.headers['user-agent'] ?? null,
        userArn: caller.arn,
      },
      path: `/${api.stage}${inner}`,
      protocol: 'HTTP/1.1',
      requestId: randomUUID(),
      requestTimeEpoch: api.now(),
      resourceId: 'r1s2t3',
      resourcePath: path,
      stage: api.stage,
    },
    // As the API has no binary media types.
    body: call.body.length === 0 ? null : call.body.toString('utf8'),
    isBase64Encoded: false,
  };
}

function contextOf(): Context {
  const startedAt = performance.now();
  const deprecated = (): never => {
    throw new Error('answer by a promise');
  };
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'fake',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:eu-central-1:123456789012:function:fake',
    memoryLimitInMB: '512',
    awsRequestId: randomUUID(),
    logGroupName: '/sshtrail/fake',
    logStreamName: 'fake',
    getRemainingTimeInMillis: () => 25_000 - Math.floor(performance.now() - startedAt),
    done: deprecated,
    fail: deprecated,
    succeed: deprecated,
  };
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    length += (chunk as Buffer).length;
    if (length <= maxBodyBytes) chunks.push(chunk as Buffer);
  }
  return length > maxBodyBytes ? undefined : Buffer.concat(chunks);
}

/** Strict, as the real one is: a result of another form is a fault of the function. */
function send(outgoing: ServerResponse, result: APIGatewayProxyResult): void {
  const { statusCode, headers = {}, body } = result;
  if (!Number.isInteger(statusCode) || statusCode < 100 || statusCode > 599 || typeof body !== 'string')
    throw new Error('malformed Lambda proxy response');
  const written = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
  outgoing.writeHead(statusCode, {
    'content-type': 'application/json',
    ...Object.fromEntries(written),
    'x-amzn-requestid': randomUUID(),
    'content-length': String(Buffer.byteLength(body)),
  });
  outgoing.end(body);
}

function answer(outgoing: ServerResponse, status: number, body: object): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  const text = JSON.stringify(body);
  outgoing.writeHead(status, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    'x-amzn-requestid': randomUUID(),
    ...(status === 403 ? { 'x-amzn-errortype': 'ForbiddenException' } : {}),
  });
  outgoing.end(text);
}
