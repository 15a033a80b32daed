import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import { SigningHash } from '../signing-hash.ts';
import { ControlApiError } from './control-api-error.ts';

type AwsCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
};

export type ControlApiCall = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With the stage and the route. */
  readonly url: string;
  readonly region: string;
  readonly credentials: AwsCredentials;
  /** JSON. */
  readonly body?: string;
  readonly fetch: typeof globalThis.fetch;
  readonly nowMs: number;
  readonly signal?: AbortSignal;
};

const callMs = 30_000;
/** A function answers with 6 MB at most. */
const maxAnswerBytes = 6 * 1024 * 1024;

/** The credentials that the AWS command line would use, too. @throws ControlApiError `no-credentials` */
export async function nodeCredentials(region: string): Promise<AwsCredentials> {
  try {
    return await fromNodeProviderChain({ clientConfig: { region } })();
  } catch (cause) {
    throw new ControlApiError(
      'no-credentials',
      'there are no AWS credentials to sign with; log in to AWS first, such as with aws sso login',
      { cause },
    );
  }
}

/**
 * One call of the control API, signed. Tells the status and what came as JSON, undefined where it was none.
 * @throws ControlApiError `unreachable`
 */
export async function callControlApi(
  call: ControlApiCall,
): Promise<{ readonly status: number; readonly json: unknown }> {
  const { method, body } = call;
  const { protocol, hostname, host, pathname, searchParams } = new URL(call.url);
  const { accessKeyId, secretAccessKey, sessionToken } = call.credentials;
  const signer = new SignatureV4({
    service: 'execute-api',
    region: call.region,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    sha256: SigningHash,
  });
  const signed = await signer.sign(
    new HttpRequest({
      method,
      protocol,
      hostname,
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: { host, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body }),
    }),
    { signingDate: new Date(call.nowMs) },
  );
  const { host: _host, ...headers } = signed.headers;
  const timeout = AbortSignal.timeout(callMs);
  try {
    const response = await call.fetch(call.url, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      // What was signed is for this address alone.
      redirect: 'error',
      signal: call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]),
    });
    return { status: response.status, json: jsonOf(await textOf(response)) };
  } catch (cause) {
    if (call.signal?.aborted === true) throw cause;
    throw new ControlApiError(
      'unreachable',
      `${host} does not answer; see whether it is the address of the control API, and try again`,
      { cause },
    );
  }
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new RangeError(`the answer has over ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
