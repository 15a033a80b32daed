import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';

/** Calls an API of API Gateway with AWS_IAM, as `curl --aws-sigv4` does. */
export async function signedFetch(
  url: string,
  options: {
    readonly method: string;
    readonly body: string;
    readonly region: string;
    readonly credentials: {
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken: string;
    };
  },
): Promise<{ readonly status: number; readonly body: string }> {
  const { method, body, region, credentials } = options;
  const at = new URL(url);
  const signer = new SignatureV4({ service: 'execute-api', region, credentials, sha256: NodeSha256 });
  const signed = await signer.sign(
    new HttpRequest({
      method,
      protocol: at.protocol,
      hostname: at.hostname,
      port: Number(at.port),
      path: at.pathname,
      headers: { host: at.host, 'content-type': 'application/json' },
      body,
    }),
  );
  const { host: _, ...headers } = signed.headers;
  const response = await fetch(url, { method, headers, body });
  return { status: response.status, body: await response.text() };
}

/** SHA-256 and HMAC as the signer wants them. */
class NodeSha256 {
  readonly #secret: string | ArrayBuffer | ArrayBufferView | undefined;
  #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret;
    this.#hash = this.#fresh();
  }

  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#fresh();
  }

  #fresh(): Hash | Hmac {
    const secret = this.#secret;
    if (secret === undefined) return createHash('sha256');
    return createHmac('sha256', typeof secret === 'string' ? secret : bytesOf(secret));
  }
}

function bytesOf(secret: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(secret)
    ? new Uint8Array(secret.buffer, secret.byteOffset, secret.byteLength)
    : new Uint8Array(secret);
}
