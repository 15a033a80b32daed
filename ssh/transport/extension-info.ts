import { MessageNumber, WireReader, WireWriter } from '../wire/index.ts';
import { TransportError } from './transport-error.ts';

const MAX_EXTENSIONS = 64;

/** What SSH_MSG_EXT_INFO announces (RFC 8308); unknown extensions are skipped. */
export type ExtensionInfo = { readonly signatureAlgorithms?: readonly string[] };

/** Ours as a server: the signature algorithms accepted, and that pings are answered (OpenSSH PROTOCOL). */
export function serverExtensionInfo(signatureAlgorithms: readonly string[] | undefined): Buffer {
  const writer = new WireWriter()
    .byte(MessageNumber.extInfo)
    .uint32(signatureAlgorithms === undefined ? 1 : 2);
  if (signatureAlgorithms !== undefined) writer.string('server-sig-algs').nameList(signatureAlgorithms);
  return writer.string('ping@openssh.com').string('0').finish();
}

/** Ours as a client: the server may tell us more once it knows the user (OpenSSH PROTOCOL). */
export function clientExtensionInfo(): Buffer {
  return new WireWriter()
    .byte(MessageNumber.extInfo)
    .uint32(1)
    .string('ext-info-in-auth@openssh.com')
    .string('0')
    .finish();
}

/** @throws WireError, TransportError `limit-exceeded`. */
export function parseExtensionInfo(payload: Buffer): ExtensionInfo {
  const reader = new WireReader(payload, 1);
  const count = reader.uint32();
  if (count > MAX_EXTENSIONS)
    throw new TransportError('limit-exceeded', `the peer announced ${count} extensions`);
  let info: ExtensionInfo = {};
  for (let index = 0; index < count; index += 1) {
    const name = reader.string().toString('latin1');
    const value = reader.string();
    if (name === 'server-sig-algs')
      info = { signatureAlgorithms: new WireReader(lengthPrefixed(value)).nameList() };
  }
  reader.end();
  return info;
}

function lengthPrefixed(value: Buffer): Buffer {
  return new WireWriter(value.length + 4).string(value).finish();
}
