import { MessageNumber, WireWriter } from '../../ssh/wire/index.ts';

/** Payloads by hand, right in form: what makes them hostile is when and how often they come. */

export const serviceRequest = new WireWriter()
  .byte(MessageNumber.serviceRequest)
  .string('ssh-userauth')
  .finish();

export const userauthSuccess = Buffer.of(MessageNumber.userauthSuccess);

export function ignore(bytes: number): Buffer {
  return new WireWriter().byte(MessageNumber.ignore).string(Buffer.alloc(bytes)).finish();
}

export function ping(bytes: number): Buffer {
  return new WireWriter().byte(MessageNumber.ping).string(Buffer.alloc(bytes)).finish();
}

export function userauth(user: string, method: string): Buffer {
  return new WireWriter()
    .byte(MessageNumber.userauthRequest)
    .string(user)
    .string('ssh-connection')
    .string(method)
    .finish();
}

export function keyQuery(user: string): Buffer {
  const blob = new WireWriter().string('ssh-ed25519').string(Buffer.alloc(32, 9)).finish();
  return new WireWriter()
    .raw(userauth(user, 'publickey'))
    .boolean(false)
    .string('ssh-ed25519')
    .string(blob)
    .finish();
}

export function globalRequest(name: string, wantReply = true): Buffer {
  return new WireWriter().byte(MessageNumber.globalRequest).string(name).boolean(wantReply).finish();
}

export function openSession(number: number, window = 2_097_152): Buffer {
  return new WireWriter()
    .byte(MessageNumber.channelOpen)
    .string('session')
    .uint32(number)
    .uint32(window)
    .uint32(32_768)
    .finish();
}

export function channelData(channel: number, data: string | Uint8Array): Buffer {
  return new WireWriter().byte(MessageNumber.channelData).uint32(channel).string(data).finish();
}

export function channelClose(channel: number): Buffer {
  return new WireWriter().byte(MessageNumber.channelClose).uint32(channel).finish();
}

/** `fields` is what follows want_reply. */
export function channelRequest(
  channel: number,
  type: string,
  wantReply: boolean,
  fields: Uint8Array = new Uint8Array(),
): Buffer {
  return new WireWriter()
    .byte(MessageNumber.channelRequest)
    .uint32(channel)
    .string(type)
    .boolean(wantReply)
    .raw(fields)
    .finish();
}

export function exec(channel: number, command: string | Uint8Array): Buffer {
  return channelRequest(channel, 'exec', true, new WireWriter().string(command).finish());
}

export function windowChange(channel: number, columns: number): Buffer {
  const size = new WireWriter().uint32(columns).uint32(24).uint32(0).uint32(0).finish();
  return channelRequest(channel, 'window-change', false, size);
}

export function terminal(channel: number, term: string): Buffer {
  const fields = new WireWriter().string(term).uint32(80).uint32(24).uint32(0).uint32(0).string('').finish();
  return channelRequest(channel, 'pty-req', true, fields);
}
