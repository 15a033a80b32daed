/** PROXY protocol version 2 headers, written by hand from the specification. */
const signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);

export function header(versionAndCommand: number, family: number, body: Uint8Array): Buffer {
  const fixed = Buffer.alloc(4);
  fixed.writeUInt8(versionAndCommand, 0);
  fixed.writeUInt8(family, 1);
  fixed.writeUInt16BE(body.length, 2);
  return Buffer.concat([signature, fixed, body]);
}

export function tcp4(source: readonly number[], port: number, tlvs: Uint8Array = Buffer.alloc(0)): Buffer {
  return header(
    0x21,
    0x11,
    Buffer.concat([Buffer.from(source), Buffer.from([127, 0, 0, 1]), ports(port), tlvs]),
  );
}

export function tcp6(source: Uint8Array, port: number, tlvs: Uint8Array = Buffer.alloc(0)): Buffer {
  return header(0x21, 0x21, Buffer.concat([source, Buffer.alloc(16, 1), ports(port), tlvs]));
}

export function tlv(type: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(3);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(value.length, 1);
  return Buffer.concat([head, value]);
}

function ports(source: number): Buffer {
  const both = Buffer.alloc(4);
  both.writeUInt16BE(source, 0);
  both.writeUInt16BE(2222, 2);
  return both;
}
