import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import type { FakeCaller } from '../fakes/aws/api-gateway.ts';

export type ApiAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of a JSON object; empty otherwise. */
  readonly json: Readonly<Record<string, unknown>>;
};

export type CallOptions = {
  readonly method?: string;
  readonly body?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly service?: string;
  readonly region?: string;
  readonly signedAtMs?: number;
  /** Sent in place of what was signed. */
  readonly sentBody?: string;
};

/** Calls a URL as the AWS SDKs do: signed by their own signer. */
export async function signedCall(
  url: string,
  caller: Pick<FakeCaller, 'accessKeyId' | 'secretAccessKey' | 'sessionToken'>,
  options: CallOptions = {},
): Promise<ApiAnswer> {
  const { method = 'POST', body, sentBody = body } = options;
  const { host, hostname, pathname, protocol, searchParams } = new URL(url);
  const { accessKeyId, secretAccessKey, sessionToken } = caller;
  const signer = new SignatureV4({
    service: options.service ?? 'execute-api',
    region: options.region ?? 'eu-central-1',
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    sha256: Sha256,
  });
  const signed = await signer.sign(
    new HttpRequest({
      method,
      protocol,
      hostname,
      path: pathname,
      query: Object.fromEntries([...searchParams.keys()].map((name) => [name, searchParams.getAll(name)])),
      headers: { host, 'content-type': 'application/json', ...options.headers },
      ...(body === undefined ? {} : { body }),
    }),
    { signingDate: new Date(options.signedAtMs ?? Date.now()) },
  );
  const { host: _, ...headers } = signed.headers;
  const response = await fetch(url, {
    method,
    headers,
    ...(sentBody === undefined ? {} : { body: sentBody }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: objectOf(text) };
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(chunk: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(chunk));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('each is used once');
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}
