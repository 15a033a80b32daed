import { MessageNumber, WireReader, WireWriter } from '../wire/index.ts';

/** RFC 4253 §11.1. */
export function disconnectMessage(code: number, description: string): Buffer {
  return new WireWriter().byte(MessageNumber.disconnect).uint32(code).string(description).string('').finish();
}

/** RFC 4253 §11.4. */
export function unimplementedMessage(sequence: number): Buffer {
  return new WireWriter(8).byte(MessageNumber.unimplemented).uint32(sequence).finish();
}

/** The answer to a ping@openssh.com message: its data (OpenSSH PROTOCOL). @throws WireError. */
export function pongMessage(ping: Buffer): Buffer {
  const data = new WireReader(ping, 1).string();
  return new WireWriter(data.length + 8).byte(MessageNumber.pong).string(data).finish();
}
