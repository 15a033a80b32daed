import type { PacketWriter } from './packet-writer.ts';

/** Messages that wait for the end of a key exchange (RFC 4253 §7.1). */
export class SendQueue {
  #messages: { readonly plain: Buffer; readonly payloadLength: number }[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#messages.length === 0;
  }

  /** Copies the payload: it is the caller's again. */
  pushPayload(payload: Uint8Array): void {
    const plain = Buffer.allocUnsafeSlow(1 + payload.length);
    plain[0] = 0;
    plain.set(payload, 1);
    this.pushPlain(plain, payload.length);
  }

  pushPlain(plain: Buffer, payloadLength: number): void {
    this.#messages.push({ plain, payloadLength });
    this.#bytes += plain.length;
  }

  writeTo(writer: PacketWriter): void {
    const messages = this.#messages;
    this.clear();
    for (const { plain, payloadLength } of messages) writer.writePlain(plain, payloadLength);
  }

  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }
}
