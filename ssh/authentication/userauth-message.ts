import { isPlainText } from '../keys/index.ts';
import { MessageNumber, WireError, WireReader, WireWriter } from '../wire/index.ts';
import type { InfoRequest } from './contract.ts';

/** SSH_MSG_USERAUTH_REQUEST, RFC 4252 §5. */
export type UserauthRequest = {
  readonly user: string;
  readonly service: string;
  readonly method: string;
  readonly body: MethodBody;
};

export type MethodBody =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'publickey';
      readonly algorithm: string;
      readonly blob: Buffer;
      readonly signed?: SignedPart;
    }
  | { readonly kind: 'keyboard-interactive' }
  /** A method this end does not speak; its fields stay unread. */
  | { readonly kind: 'other' };

/** `request` is the payload up to the signature: with the session identifier before it, the bytes that were signed (RFC 4252 §7). */
type SignedPart = { readonly request: Buffer; readonly signature: Buffer };

/** The limits keep a hostile peer's strings out of events and memory. */
const maxUserBytes = 256;
const maxNameLength = 64;
const maxKeyBlobBytes = 64 * 1024;
const maxResponseBytes = 4096;

/** @throws WireError for bytes that are no request, and for a user name that could not be shown on one line. */
export function decodeUserauthRequest(payload: Buffer): UserauthRequest {
  const reader = new WireReader(payload, 1);
  const user = readUser(reader);
  const service = readName(reader, 'service');
  const method = readName(reader, 'method');
  return { user, service, method, body: readBody(reader, payload, method) };
}

function readBody(reader: WireReader, payload: Buffer, method: string): MethodBody {
  switch (method) {
    case 'none':
      reader.end();
      return { kind: 'none' };
    case 'publickey':
      return readPublickey(reader, payload);
    case 'keyboard-interactive':
      reader.string(); // language tag, deprecated (RFC 4256 §3.1)
      reader.string(); // submethods, a hint we have no use for
      reader.end();
      return { kind: 'keyboard-interactive' };
    default:
      return { kind: 'other' };
  }
}

function readPublickey(reader: WireReader, payload: Buffer): MethodBody {
  const isSigned = reader.boolean();
  const algorithm = readName(reader, 'public key algorithm');
  const blob = reader.string();
  if (blob.length > maxKeyBlobBytes)
    throw new WireError('malformed', `a key blob is larger than ${maxKeyBlobBytes} bytes`);
  if (!isSigned) {
    reader.end();
    return { kind: 'publickey', algorithm, blob };
  }
  const request = payload.subarray(0, reader.offset);
  const signature = reader.string();
  reader.end();
  return { kind: 'publickey', algorithm, blob, signed: { request, signature } };
}

function readUser(reader: WireReader): string {
  const user = reader.text();
  if (user === '' || Buffer.byteLength(user) > maxUserBytes || !isPlainText(user))
    throw new WireError('malformed', 'a user name is empty, too long or holds control characters');
  return user;
}

function readName(reader: WireReader, what: string): string {
  const bytes = reader.string();
  if (bytes.length > maxNameLength || bytes.some((byte) => byte <= 0x20 || byte >= 0x7f))
    throw new WireError('malformed', `a ${what} name is too long or outside printable US-ASCII`);
  return bytes.toString('latin1');
}

/** SSH_MSG_USERAUTH_INFO_RESPONSE, RFC 4256 §3.4; undefined where it does not fit the prompts or a response is too long. */
export function decodeInfoResponse(payload: Buffer, prompts: number): string[] | undefined {
  const reader = new WireReader(payload, 1);
  if (reader.uint32() !== prompts) return undefined;
  const responses: string[] = [];
  for (let index = 0; index < prompts; index += 1) {
    const response = reader.text();
    if (Buffer.byteLength(response) > maxResponseBytes) return undefined;
    responses.push(response);
  }
  reader.end();
  return responses;
}

/** SSH_MSG_USERAUTH_INFO_REQUEST, RFC 4256 §3.2. */
export function decodeInfoRequest(payload: Buffer, maxPrompts: number): InfoRequest {
  const reader = new WireReader(payload, 1);
  const name = reader.text();
  const instruction = reader.text();
  reader.string(); // language tag
  const count = reader.uint32();
  if (count > maxPrompts) throw new WireError('malformed', `more than ${maxPrompts} prompts at once`);
  const prompts: { readonly text: string; readonly echo: boolean }[] = [];
  for (let index = 0; index < count; index += 1)
    prompts.push({ text: reader.text(), echo: reader.boolean() });
  reader.end();
  return { name, instruction, prompts };
}

export function encodeInfoRequest(request: InfoRequest): Buffer {
  const writer = new WireWriter()
    .byte(MessageNumber.userauthInfoRequest)
    .string(request.name)
    .string(request.instruction)
    .string('')
    .uint32(request.prompts.length);
  for (const prompt of request.prompts) writer.string(prompt.text).boolean(prompt.echo);
  return writer.finish();
}

export function encodeInfoResponse(responses: readonly string[]): Buffer {
  const writer = new WireWriter().byte(MessageNumber.userauthInfoResponse).uint32(responses.length);
  for (const response of responses) writer.string(response);
  return writer.finish();
}

export function encodeFailure(methods: readonly string[], partial: boolean): Buffer {
  return new WireWriter().byte(MessageNumber.userauthFailure).nameList(methods).boolean(partial).finish();
}

/** The methods that can go on; a partial success shows in that list alone (RFC 4252 §5.1). */
export function decodeFailure(payload: Buffer): string[] {
  const reader = new WireReader(payload, 1);
  const methods = reader.nameList();
  reader.boolean();
  reader.end();
  return methods;
}

/** Lines end in CR LF on the wire (RFC 4252 §5.4). */
export function encodeBanner(text: string): Buffer {
  return new WireWriter()
    .byte(MessageNumber.userauthBanner)
    .string(text.replaceAll('\n', '\r\n'))
    .string('')
    .finish();
}

/** The text as it came: invalid UTF-8 is replaced, since a banner decides nothing. */
export function decodeBanner(payload: Buffer, maxBytes: number): string {
  const text = new WireReader(payload, 1).string();
  return text.toString('utf8', 0, Math.min(text.length, maxBytes));
}

export function encodePublicKeyOk(algorithm: string, blob: Buffer): Buffer {
  return new WireWriter().byte(MessageNumber.userauthPkOk).string(algorithm).string(blob).finish();
}

/** SSH_MSG_SERVICE_REQUEST and SSH_MSG_SERVICE_ACCEPT, RFC 4253 §10. */
export function encodeService(number: number, service: string): Buffer {
  return new WireWriter().byte(number).string(service).finish();
}

export function decodeService(payload: Buffer): string {
  const reader = new WireReader(payload, 1);
  const service = readName(reader, 'service');
  reader.end();
  return service;
}

/** The common fields of a request; the method's own fields follow. */
export function startRequest(user: string, method: string): WireWriter {
  return new WireWriter()
    .byte(MessageNumber.userauthRequest)
    .string(user)
    .string(connectionService)
    .string(method);
}

/** What a publickey signature covers (RFC 4252 §7). The session identifier is that of the first key exchange. */
export function signedBytes(sessionId: Buffer, request: Uint8Array): Buffer {
  return new WireWriter(sessionId.length + request.length + 4).string(sessionId).raw(request).finish();
}

export const connectionService = 'ssh-connection';
export const authenticationService = 'ssh-userauth';
