import { MessageNumber, WireReader, WireWriter } from '../../../ssh/wire/index.ts';

/** Payloads of RFC 4252 and RFC 4256 written by hand, right and wrong. */

export const serviceRequest = new WireWriter()
  .byte(MessageNumber.serviceRequest)
  .string('ssh-userauth')
  .finish();

export const serviceAccept = new WireWriter()
  .byte(MessageNumber.serviceAccept)
  .string('ssh-userauth')
  .finish();

export function request(user: string, method: string, service = 'ssh-connection'): WireWriter {
  return new WireWriter().byte(MessageNumber.userauthRequest).string(user).string(service).string(method);
}

export function keyQuery(user: string, algorithm: string, blob: Buffer): Buffer {
  return request(user, 'publickey').boolean(false).string(algorithm).string(blob).finish();
}

export type SignedRequest = {
  readonly user?: string;
  readonly algorithm: string;
  readonly blob: Buffer;
  readonly sessionId: Buffer;
  readonly sign: (data: Buffer) => Buffer;
};

export function signedRequest({ user = 'alice', algorithm, blob, sessionId, sign }: SignedRequest): Buffer {
  const unsigned = request(user, 'publickey').boolean(true).string(algorithm).string(blob).finish();
  const signature = sign(new WireWriter().string(sessionId).raw(unsigned).finish());
  return new WireWriter().raw(unsigned).string(signature).finish();
}

export function interactiveRequest(user = 'alice'): Buffer {
  return request(user, 'keyboard-interactive').string('').string('').finish();
}

export function infoResponse(responses: readonly string[]): Buffer {
  const writer = new WireWriter().byte(MessageNumber.userauthInfoResponse).uint32(responses.length);
  for (const response of responses) writer.string(response);
  return writer.finish();
}

export function infoRequest(prompts: readonly string[], instruction = ''): Buffer {
  const writer = new WireWriter()
    .byte(MessageNumber.userauthInfoRequest)
    .string('')
    .string(instruction)
    .string('')
    .uint32(prompts.length);
  for (const prompt of prompts) writer.string(prompt).boolean(false);
  return writer.finish();
}

export function failure(methods: readonly string[], partial = false): Buffer {
  return new WireWriter().byte(MessageNumber.userauthFailure).nameList(methods).boolean(partial).finish();
}

export function banner(text: string): Buffer {
  return new WireWriter().byte(MessageNumber.userauthBanner).string(text).string('').finish();
}

export const success = Buffer.of(MessageNumber.userauthSuccess);

/** Says what a payload is, as far as these tests care. */
export function describePayload(payload: Buffer): string {
  const reader = new WireReader(payload, 1);
  switch (payload[0]) {
    case MessageNumber.serviceAccept:
      return `SERVICE_ACCEPT ${reader.text()}`;
    case MessageNumber.userauthFailure:
      return `FAILURE ${reader.nameList().join(',')}${reader.boolean() ? ' partial' : ''}`;
    case MessageNumber.userauthSuccess:
      return 'SUCCESS';
    case MessageNumber.userauthBanner:
      return `BANNER ${reader.text()}`;
    case MessageNumber.userauthInfoRequest:
      return `60 ${reader.text()}`;
    default:
      return `message ${payload[0]}`;
  }
}
