import type { APIGatewayProxyEvent } from 'aws-lambda';
import { z } from 'zod';
import { KeyError, type PublicKey, parsePublicKeyLine } from '#ssh';
import { bodyOf } from '../shared/index.ts';

/** What an engineer asks for. */
export type CertificateRequest = {
  readonly publicKey: PublicKey;
  /** The longest there is where absent. */
  readonly validForSeconds?: number | undefined;
  /** The certificate is good from the caller's address only. */
  readonly bindSourceAddress: boolean;
};

export type ReadRequest =
  | { readonly ok: true; readonly request: CertificateRequest }
  | { readonly ok: false; readonly message: string };

const maxBodyBytes = 20 * 1024;
const minSeconds = 60;
/** What is longer than a deployment may allow is a slip. */
const maxSeconds = 86_400;

const body = z.strictObject({
  publicKey: z.string(),
  validForSeconds: z.int().min(minSeconds).max(maxSeconds).optional(),
  bindSourceAddress: z.boolean().default(false),
});
const fieldHelp: Readonly<Record<string, string>> = {
  publicKey: 'publicKey is missing or no text; send the line of your .pub file',
  validForSeconds: `validForSeconds is a whole number from ${minSeconds} to ${maxSeconds}, or left out`,
  bindSourceAddress: 'bindSourceAddress is true, false or left out',
};

/** What is sent may be anything, a private key by mistake included: nothing of it is said back. */
export function readCertificateRequest(event: APIGatewayProxyEvent): ReadRequest {
  const bytes = bodyOf(event);
  if (bytes.length > maxBodyBytes)
    return no(`the body has over ${maxBodyBytes} bytes; send {"publicKey": "ssh-ed25519 AAAA..."}`);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    return no('the body is no JSON; send {"publicKey": "ssh-ed25519 AAAA..."}');
  }
  const parsed = body.safeParse(json);
  if (!parsed.success) {
    const [field] = parsed.error.issues[0]?.path ?? [];
    return no(
      fieldHelp[String(field)] ??
        'the body is an object of publicKey, validForSeconds and bindSourceAddress; send nothing else',
    );
  }
  const key = readKey(parsed.data.publicKey);
  return key.ok ? { ok: true, request: { ...parsed.data, publicKey: key.publicKey } } : key;
}

function readKey(
  text: string,
): { readonly ok: true; readonly publicKey: PublicKey } | Extract<ReadRequest, { ok: false }> {
  if (text.includes('PRIVATE KEY'))
    return no(
      'this is a private key: keep it to yourself, make a new one, and send the line of its .pub file',
    );
  const line = text.replace(/\r?\n$/, '');
  if (/[\r\n\0]/.test(line)) return no('publicKey has more than one line; send that of one .pub file');
  try {
    return { ok: true, publicKey: parsePublicKeyLine(line).publicKey };
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    return no(keyHelp(error));
  }
}

function keyHelp({ code }: KeyError): string {
  switch (code) {
    case 'weak':
      return 'the key is too weak: an RSA key has at least 2048 bits; make one with ssh-keygen -t ed25519';
    case 'unsupported-type':
      return 'the key is of a kind that gets no certificate, or is one; send an ed25519, ecdsa, rsa or security key';
    default:
      return 'publicKey is not the line of a .pub file: type, base64 and an optional comment; make a key with ssh-keygen -t ed25519';
  }
}

function no(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}
