import type { Role } from './contract.ts';
import { TransportError } from './transport-error.ts';

// RFC 4253 §4.2: 255 characters with the line end.
const MAX_LINE_BYTES = 255;
// What a client accepts before the server's identification.
const MAX_BANNER_LINES = 50;
const MAX_BANNER_BYTES = 8192;

const LF = 0x0a;
const CR = 0x0d;

/** The last one made, since every connection of a process says the same. */
let own: { readonly softwareVersion: string; readonly line: Buffer } | undefined;

/** Our identification line without its end, not to be written to. @throws TransportError `bad-options`. */
export function ownIdentification(softwareVersion: string): Buffer {
  if (own?.softwareVersion !== softwareVersion)
    own = { softwareVersion, line: identificationOf(softwareVersion) };
  return own.line;
}

function identificationOf(softwareVersion: string): Buffer {
  const line = `SSH-2.0-${softwareVersion}`;
  if (!/^[\x21-\x2c\x2e-\x7e]+( [\x20-\x7e]*)?$/.test(softwareVersion) || line.length > MAX_LINE_BYTES - 2)
    throw new TransportError(
      'bad-options',
      'the software version must be printable ASCII without minus, at most 245 characters; choose another',
    );
  return keptCopy(Buffer.from(line, 'latin1'));
}

/** Reads the peer's identification line (RFC 4253 §4.2), for a client also the lines a server may send before it. */
export class IdentificationReader {
  readonly #role: Role;
  readonly #line = Buffer.allocUnsafe(MAX_LINE_BYTES);
  #lineBytes = 0;
  #bannerLines = 0;
  #totalBytes = 0;

  constructor(role: Role) {
    this.#role = role;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /**
   * Takes bytes until the line is complete: then returns it without its end, and how many bytes of `chunk` it took.
   *
   * @throws TransportError `bad-identification`, `limit-exceeded`.
   */
  push(chunk: Buffer): { readonly line: Buffer; readonly taken: number } | undefined {
    for (let index = 0; index < chunk.length; index += 1) {
      const byte = chunk[index] ?? 0;
      this.#totalBytes += 1;
      if (byte !== LF) {
        this.#append(byte);
        continue;
      }
      const line = this.#completeLine();
      if (line !== undefined) return { line, taken: index + 1 };
    }
    return undefined;
  }

  #append(byte: number): void {
    if (byte === 0)
      throw new TransportError('bad-identification', 'the peer sent a zero byte for its version');
    // One byte is kept for the LF.
    if (this.#lineBytes >= MAX_LINE_BYTES - 1)
      throw new TransportError('bad-identification', 'a line before the key exchange is too long');
    this.#line[this.#lineBytes] = byte;
    this.#lineBytes += 1;
    if (this.#role === 'server' && this.#lineBytes === 4 && !this.#startsWith('SSH-')) this.#refuseBanner();
  }

  #completeLine(): Buffer | undefined {
    let length = this.#lineBytes;
    if (length > 0 && this.#line[length - 1] === CR) length -= 1;
    if (!this.#startsWith('SSH-')) {
      if (this.#role === 'server') this.#refuseBanner();
      this.#bannerLines += 1;
      this.#lineBytes = 0;
      if (this.#bannerLines > MAX_BANNER_LINES || this.#totalBytes > MAX_BANNER_BYTES)
        throw new TransportError('limit-exceeded', 'the server sends too much before its version');
      return undefined;
    }
    // RFC 4253 §5.1: 1.99 is a server that also speaks version 1.
    if (!this.#startsWith('SSH-2.0-') && !(this.#role === 'client' && this.#startsWith('SSH-1.99-')))
      throw new TransportError('bad-identification', 'the peer does not speak SSH 2.0');
    return keptCopy(this.#line.subarray(0, length));
  }

  #startsWith(text: string): boolean {
    return this.#lineBytes >= text.length && this.#line.toString('latin1', 0, text.length) === text;
  }

  #refuseBanner(): never {
    throw new TransportError('bad-identification', 'the client does not begin with an SSH version');
  }
}

function keptCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
