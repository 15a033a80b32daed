import { isUtf8 } from 'node:buffer';

/** Text of a byte stream that arrives in arbitrary pieces. Invalid bytes become U+FFFD as WHATWG Encoding says, and are counted. */
export type Utf8Stream = {
  decode(bytes: Uint8Array): { readonly text: string; readonly invalidBytes: number };
  /** What an unfinished last sequence becomes. */
  end(): { readonly text: string; readonly invalidBytes: number };
};

const nothing = { text: '', invalidBytes: 0 } as const;

export function createUtf8Stream(): Utf8Stream {
  let carried: Buffer = Buffer.alloc(0);
  const decode = (bytes: Uint8Array): { text: string; invalidBytes: number } => {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const whole = carried.length === 0 ? view : Buffer.concat([carried, view]);
    const complete = whole.length - unfinishedLength(whole);
    carried = Buffer.from(whole.subarray(complete));
    return decodeComplete(whole.subarray(0, complete));
  };
  const end = (): { text: string; invalidBytes: number } => {
    const last = carried;
    carried = Buffer.alloc(0);
    return last.length === 0 ? nothing : { text: replacing(last), invalidBytes: last.length };
  };
  return { decode, end };
}

function decodeComplete(bytes: Buffer): { text: string; invalidBytes: number } {
  if (isUtf8(bytes)) return { text: bytes.toString('utf8'), invalidBytes: 0 };
  return { text: replacing(bytes), invalidBytes: countInvalid(bytes) };
}

function replacing(bytes: Buffer): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

function countInvalid(bytes: Buffer): number {
  let invalid = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length > 0) at += length;
    else {
      invalid += 1;
      at += 1;
    }
  }
  return invalid;
}

/** Bytes of the well-formed sequence at `at`, or 0. Unicode 16 table 3-7. */
function sequenceLength(bytes: Buffer, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const wanted = wantedLength(lead);
  return wanted > 0 && prefixLength(bytes, at, wanted) === wanted ? wanted : 0;
}

function wantedLength(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/** How many bytes from `at` can begin a sequence of `wanted` bytes. */
function prefixLength(bytes: Buffer, at: number, wanted: number): number {
  const lead = bytes[at] ?? 0;
  for (let index = 1; index < wanted; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) return index;
    const low = index > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = index > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (byte < low || byte > high) return index;
  }
  return wanted;
}

/** Bytes at the end that may become a sequence when more arrives: 0 to 3. */
function unfinishedLength(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const at = bytes.length - back;
    const lead = bytes[at] ?? 0;
    if (lead >= 0x80 && lead <= 0xbf) continue;
    const wanted = wantedLength(lead);
    return wanted > back && prefixLength(bytes, at, wanted) === back ? back : 0;
  }
  return 0;
}
