import { SocketAddress } from 'node:net';

/** What a load balancer says of who connected; PROXY protocol version 2, https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt §2.2. */
export type ProxyHeader =
  | { readonly kind: 'proxied'; readonly address: string; readonly port: number }
  /** The balancer's own connection, such as a health check. */
  | { readonly kind: 'local' };

export type ProxyHeaderStep =
  | { readonly kind: 'more' }
  /** `taken` of the bytes pushed last belonged to the header; what follows is the protocol's. */
  | { readonly kind: 'header'; readonly header: ProxyHeader; readonly taken: number }
  | { readonly kind: 'refused'; readonly reason: 'proxy-header-missing' | 'proxy-header-malformed' };

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
/** Signature, version and command, family and protocol, length. */
const fixedBytes = 16;
/** With everything balancers add to the addresses; those of AWS add under 100 bytes. */
const maxHeaderBytes = 2048;

const command = { local: 0x20, proxy: 0x21 } as const;
/** Family and transport protocol: over TCP. */
const family = { tcp4: 0x11, tcp6: 0x21 } as const;

/** Reads one header, of however many pieces it comes in. Bytes that are no header are refused at the first that differs. */
export class ProxyHeaderReader {
  readonly #bytes = Buffer.allocUnsafeSlow(maxHeaderBytes);
  #length = 0;

  /** To be called until it says something else than `more`, and not after. `chunk` is not kept. */
  push(chunk: Uint8Array): ProxyHeaderStep {
    const before = this.#length;
    const taken = Math.min(chunk.length, maxHeaderBytes - before);
    this.#bytes.set(chunk.subarray(0, taken), before);
    this.#length = before + taken;

    const known = Math.min(this.#length, signature.length);
    if (!this.#bytes.subarray(0, known).equals(signature.subarray(0, known)))
      return { kind: 'refused', reason: 'proxy-header-missing' };
    if (!this.#isPlausible()) return malformed;
    if (this.#length < fixedBytes) return { kind: 'more' };
    const total = fixedBytes + this.#bytes.readUInt16BE(14);
    if (total > maxHeaderBytes) return malformed;
    if (this.#length < total) return { kind: 'more' };
    const header = parseHeader(this.#bytes.subarray(0, total));
    return header === undefined ? malformed : { kind: 'header', header, taken: total - before };
  }

  /** As far as it is there: version 2 with a command that exists. */
  #isPlausible(): boolean {
    const versionAndCommand = this.#length > 12 ? this.#bytes[12] : undefined;
    return (
      versionAndCommand === undefined ||
      versionAndCommand === command.local ||
      versionAndCommand === command.proxy
    );
  }
}

const malformed: ProxyHeaderStep = { kind: 'refused', reason: 'proxy-header-malformed' };

/** Undefined for what does not say who connected by TCP: an engineer of no known address could not be held to account. */
function parseHeader(header: Buffer): ProxyHeader | undefined {
  const body = header.subarray(fixedBytes);
  if (header[12] === command.local) return { kind: 'local' };
  switch (header[13]) {
    case family.tcp4: {
      if (body.length < 12 || !isTlvList(body.subarray(12))) return undefined;
      return { kind: 'proxied', address: body.subarray(0, 4).join('.'), port: body.readUInt16BE(8) };
    }
    case family.tcp6: {
      if (body.length < 36 || !isTlvList(body.subarray(36))) return undefined;
      return { kind: 'proxied', address: ipv6Text(body.subarray(0, 16)), port: body.readUInt16BE(32) };
    }
    default:
      return undefined;
  }
}

/** Type, length, value, to the end exactly (§2.2); what they say is not needed. */
function isTlvList(bytes: Buffer): boolean {
  let at = 0;
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return false;
    at += 3 + bytes.readUInt16BE(at + 1);
  }
  return at === bytes.length;
}

/** In the form sockets give; an IPv4 address in IPv6 form as that IPv4 address. */
function ipv6Text(bytes: Buffer): string {
  if (bytes.subarray(0, 12).equals(mappedPrefix)) return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address;
}

const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex');
