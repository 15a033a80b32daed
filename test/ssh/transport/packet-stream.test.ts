import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openerNamed, sealerNamed } from '../../../ssh/algorithms/index.ts';
import type { ByteLink } from '../../../ssh/transport/index.ts';
import { TransportError } from '../../../ssh/transport/index.ts';
import { OutputQueue } from '../../../ssh/transport/output-queue.ts';
import { PacketReader } from '../../../ssh/transport/packet-reader.ts';
import { PacketWriter } from '../../../ssh/transport/packet-writer.ts';
import { readArea } from '../../../ssh/transport/receive-area.ts';
import { errorOf } from './linked-transports.ts';

const suites = [
  { cipher: 'none', mac: 'none' },
  { cipher: 'aes128-gcm@openssh.com', mac: 'implicit' },
  { cipher: 'aes256-ctr', mac: 'hmac-sha2-256-etm@openssh.com' },
  { cipher: 'aes128-ctr', mac: 'hmac-sha2-512' },
];

const derive = (lengths: { ivBytes: number; keyBytes: number; macKeyBytes: number }) => ({
  iv: Buffer.alloc(lengths.ivBytes, 1),
  key: Buffer.alloc(lengths.keyBytes, 2),
  macKey: Buffer.alloc(lengths.macKeyBytes, 3),
});

/** A writer whose packets are collected. */
function collectingWriter(firstSequence = 0, packets = 0): { writer: PacketWriter; bytes: () => Buffer } {
  const written: Buffer[] = [];
  const link: ByteLink = {
    pendingBytes: 0,
    open: () => undefined,
    write(bytes, onTaken) {
      written.push(Buffer.from(bytes));
      onTaken();
    },
    pause: () => undefined,
    resume: () => undefined,
    end: () => undefined,
    destroy: () => undefined,
  };
  const output = new OutputQueue(link, { flush: () => undefined });
  return {
    writer: new PacketWriter(output, firstSequence, packets),
    bytes() {
      output.flush();
      return Buffer.concat(written.splice(0));
    },
  };
}

function ends(cipher: string, mac: string, firstSequence = 0) {
  const { writer, bytes } = collectingWriter(firstSequence);
  const reader = new PacketReader(firstSequence);
  if (cipher !== 'none') {
    writer.switchTo(sealerNamed(cipher, mac, derive), false);
    reader.switchTo(openerNamed(cipher, mac, derive), false);
  }
  return { writer, bytes, reader };
}

const payloadOf = (plain: Buffer) => plain.subarray(1, plain.length - (plain[0] ?? 0));

function readAll(reader: PacketReader): Buffer[] {
  const payloads: Buffer[] = [];
  for (let plain = reader.next(); plain !== undefined; plain = reader.next()) payloads.push(payloadOf(plain));
  return payloads;
}

describe.each(suites)('packets under $cipher $mac', ({ cipher, mac }) => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1 }),
        fc.boolean(),
        (payloads, cuts, shared) => {
          const { writer, bytes, reader } = ends(cipher, mac);
          for (const payload of payloads) writer.writePayload(payload);
          const stream = bytes();
          const received: Buffer[] = [];

          for (let start = 0, turn = 0; start < stream.length; turn += 1) {
            const end = start + (cuts[turn % cuts.length] ?? 1);
            received.push(...feedOnce(reader, stream.subarray(start, end), shared));
            start = end;
          }

          expect(received).toEqual(payloads.map((payload) => Buffer.from(payload)));
          expect(reader.unreadBytes).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('come out of a large packet sent byte by byte', () => {
    const { writer, bytes, reader } = ends(cipher, mac);
    const payload = Buffer.alloc(20_000, 5);
    writer.writePayload(payload);

    const received: Buffer[] = [];
    for (const byte of bytes()) received.push(...feedOnce(reader, Buffer.from([byte]), true));

    expect(received).toEqual([payload]);
  });

  it('may be as long as 256 KiB and no longer', () => {
    const { writer, bytes, reader } = ends(cipher, mac);
    writer.writePayload(Buffer.alloc(256 * 1024 - 40, 1));

    expect(feedOnce(reader, bytes(), false)).toHaveLength(1);
    expect(() => writer.writePayload(Buffer.alloc(256 * 1024))).toThrow(
      expect.objectContaining({ code: 'packet-length' }),
    );
  });

  it('end in the reader’s own error for random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (noise) => {
        const { reader } = ends(cipher, mac);
        const error = errorOf(() => feedOnce(reader, Buffer.from(noise), true));

        expect(error === undefined || error instanceof TransportError).toBe(true);
      }),
    );
  });
});

describe('packet numbers', () => {
  it('run out under one key rather than come round', () => {
    const { writer } = collectingWriter(0, 2 ** 32 - 2);
    const { writer: other, bytes } = collectingWriter();
    const reader = new PacketReader(0, 2 ** 32 - 2);

    writer.writePayload(Buffer.from([1]));
    other.writePayload(Buffer.from([1]));
    other.writePayload(Buffer.from([1]));
    reader.feed(bytes());
    reader.next();

    expect(() => writer.writePayload(Buffer.from([1]))).toThrow(/numbers ran out/);
    expect(() => reader.next()).toThrow(/numbers ran out/);
  });

  it('go on from 2^32 - 1 to 0 where the keys changed on the way', () => {
    const { writer, bytes, reader } = ends('aes256-ctr', 'hmac-sha2-256-etm@openssh.com', 2 ** 32 - 1);
    for (const number of [1, 2, 3]) writer.writePayload(Buffer.from([number]));

    expect(feedOnce(reader, bytes(), false)).toEqual([1, 2, 3].map((number) => Buffer.from([number])));
    expect(reader.lastSequence).toBe(1);
  });
});

describe('packet lengths', () => {
  it.each([0, 1, 11, 13, 256 * 1024 + 4, 256 * 1024 + 12, 0x7fffffff, 0xffffffff])(
    'of %i are refused before the packet is waited for',
    (length) => {
      const reader = new PacketReader();
      const head = Buffer.alloc(4);
      head.writeUInt32BE(length);
      reader.feed(head);

      expect(() => reader.next()).toThrow(expect.objectContaining({ code: 'packet-length' }));
    },
  );

  it('must leave room for a payload and four bytes of padding', () => {
    for (const padding of [0, 3, 11, 12, 255]) {
      const packet = Buffer.alloc(16);
      packet.writeUInt32BE(12);
      packet.writeUInt8(padding, 4);
      const reader = new PacketReader();
      reader.feed(packet);

      expect(() => reader.next()).toThrow(expect.objectContaining({ code: 'protocol-violation' }));
    }
  });
});

describe('padding', () => {
  it('is random and different each time', () => {
    const { writer, bytes, reader } = ends('none', 'none');
    for (let count = 0; count < 2; count += 1) writer.writePayload(Buffer.from([1]));
    reader.feed(bytes());

    const [first, second] = [reader.next(), reader.next()];

    expect(first?.subarray(2)).not.toEqual(second?.subarray(2));
  });

  it('is passed on with a message where both framings align alike', () => {
    const { writer, bytes, reader } = gcm();
    const plain = Buffer.concat([Buffer.from([6]), Buffer.alloc(9, 94), Buffer.alloc(6, 0x77)]);

    writer.writePlain(plain, 9);
    reader.feed(bytes());

    expect(reader.next()).toEqual(plain);
  });

  it('is made anew where it does not fit the framing', () => {
    const { writer, bytes, reader } = gcm();
    const plain = Buffer.concat([Buffer.from([10]), Buffer.alloc(9, 94), Buffer.alloc(10, 0x77)]);

    writer.writePlain(plain, 9);
    reader.feed(bytes());

    const received = reader.next();
    expect(received?.length).toBe(16);
    expect(received && payloadOf(received)).toEqual(Buffer.alloc(9, 94));
  });

  it('never makes a message of the largest size too large when it crosses framings of one alignment', () => {
    const { writer, bytes, reader } = gcm();
    const payloadLength = 256 * 1024 - 5;
    const plain = Buffer.alloc(256 * 1024);
    plain[0] = 4;

    writer.writePlain(plain, payloadLength);
    reader.feed(bytes());

    expect(reader.next()?.length).toBe(256 * 1024);
  });
});

const gcm = () => ends('aes128-gcm@openssh.com', 'implicit');

function feedOnce(reader: PacketReader, chunk: Buffer, shared: boolean): Buffer[] {
  let fed = chunk;
  if (shared) {
    chunk.copy(readArea);
    fed = readArea.subarray(0, chunk.length);
  }
  reader.feed(fed);
  const payloads = readAll(reader);
  reader.keep();
  // Nothing of the chunk may be needed once the callback is over.
  if (shared) readArea.fill(0xee, 0, chunk.length);
  return payloads;
}
