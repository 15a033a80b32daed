import {
  isAuthenticatedCipher,
  modernAlgorithms,
  openerNamed,
  type PacketSealer,
  plainOpener,
  plainSealer,
  type SecretLengths,
  sealerNamed,
  targetAlgorithms,
} from '../../../ssh/algorithms/index.ts';
import { parseExtensionInfo, serverExtensionInfo } from '../../../ssh/transport/extension-info.ts';
import { IdentificationReader } from '../../../ssh/transport/identification.ts';
import { type Role, TransportError } from '../../../ssh/transport/index.ts';
import { kexInitPayload, negotiate, parseKexInit } from '../../../ssh/transport/negotiation.ts';
import { PacketReader } from '../../../ssh/transport/packet-reader.ts';
import { disconnectEnd } from '../../../ssh/transport/transport-end.ts';
import { WireError } from '../../../ssh/wire/index.ts';
import { expectThat, type FuzzTarget, parserTarget } from '../fuzz-target.ts';
import { transportMessages } from './message-samples.ts';

const roles: readonly Role[] = ['client', 'server'];

const identifications: readonly FuzzTarget[] = roles.map((role) =>
  parserTarget({
    name: `identification-${role}`,
    about: `the first line of a peer, read by a ${role}; the first byte says in what pieces it comes`,
    starts: () =>
      ['SSH-2.0-OpenSSH_9.2p1 Debian\r\n', 'SSH-1.99-old\n', 'a banner\r\nSSH-2.0-x\r\n'].map((text) =>
        Buffer.from(`\u0004${text}`, 'latin1'),
      ),
    tokens: ['SSH-', 'SSH-2.0-', 'SSH-1.99-', '\r\n', '\n', '\0'],
    family: [TransportError],
    parse(input) {
      const reader = new IdentificationReader(role);
      for (const piece of piecesOf(input)) {
        const found = reader.push(piece);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    expect: (found) => expectThat((found?.line.length ?? 0) <= 255, 'an identification is too long'),
  }),
);

const kexInits: readonly FuzzTarget[] = roles.map((role) =>
  parserTarget({
    name: `kexinit-${role}`,
    about: `a peer's KEXINIT and what a ${role} makes of it`,
    starts: () => [kexInitPayload(role === 'client' ? 'server' : 'client', targetAlgorithms, true)],
    tokens: [
      ...targetAlgorithms.keyExchange,
      ...targetAlgorithms.cipher,
      ...targetAlgorithms.mac,
      'kex-strict-c-v00@openssh.com',
      'kex-strict-s-v00@openssh.com',
      'ext-info-c',
      'none',
      'zlib@openssh.com',
      ',',
    ],
    family: [WireError, TransportError],
    parse: (input) => negotiate(role, targetAlgorithms, parseKexInit(input), true),
    expect(negotiated) {
      expectThat(
        targetAlgorithms.keyExchange.includes(negotiated.keyExchange),
        'a foreign method was chosen',
      );
      for (const cipher of [negotiated.cipherIn, negotiated.cipherOut])
        expectThat(targetAlgorithms.cipher.includes(cipher), 'a foreign cipher was chosen');
      for (const mac of [negotiated.macIn, negotiated.macOut])
        expectThat(mac === 'implicit' || targetAlgorithms.mac.includes(mac), 'a foreign MAC was chosen');
    },
  }),
);

const suites: readonly { readonly cipher: string; readonly mac: string }[] = [
  ...new Set([...modernAlgorithms.cipher, ...targetAlgorithms.cipher]),
].flatMap((cipher) =>
  (isAuthenticatedCipher(cipher)
    ? ['implicit']
    : [...new Set([...modernAlgorithms.mac, ...targetAlgorithms.mac])]
  ).map((mac) => ({ cipher, mac })),
);

const payloads: readonly Buffer[] = [
  ...transportMessages,
  Buffer.alloc(1, 94),
  Buffer.alloc(1500, 94),
  Buffer.of(21),
];

/** Under its keys a peer gets delivered what was sent, from its beginning and in its order, or the connection ends. */
const sealed: readonly FuzzTarget[] = suites.map(({ cipher, mac }) => sealedTarget(cipher, mac));

function sealedTarget(cipher: string, mac: string): FuzzTarget {
  const genuine = payloads.map((payload) => plainOf(payload, sealerNamed(cipher, mac, fixedSecrets)));
  return {
    name: `packets-${cipher}${mac === 'implicit' ? '' : `-${mac}`}`.replaceAll('@openssh.com', ''),
    about: `packets under ${cipher}${mac === 'implicit' ? '' : ` and ${mac}`}; the first byte says in what pieces they come`,
    starts: () => [
      Buffer.concat([Buffer.of(0), sealedStream(sealerNamed(cipher, mac, fixedSecrets), genuine)]),
    ],
    tokens: ['\0\0\0\x0c', '\0\x04\0\0'],
    run(input) {
      const read = readPackets(new PacketReader(), openerNamed(cipher, mac, fixedSecrets), input);
      expectThat(
        read.every((plain, index) => genuine[index]?.equals(plain) === true),
        'a packet that nobody sent came through',
      );
    },
  };
}

const plain: FuzzTarget = {
  name: 'packets-plain',
  about: 'packets before there are keys; the first byte says in what pieces they come',
  starts: () => [
    Buffer.concat([
      Buffer.of(0),
      sealedStream(
        plainSealer,
        payloads.map((payload) => plainOf(payload, plainSealer)),
      ),
    ]),
  ],
  tokens: ['\0\0\0\x0c', '\0\x04\0\0'],
  run(input) {
    const read = readPackets(new PacketReader(), plainOpener, input);
    const bytes = read.reduce((sum, packet) => sum + packet.length, 0);
    expectThat(bytes <= input.length, 'more came out than went in');
  },
};

export const packetTargets: readonly FuzzTarget[] = [
  ...identifications,
  ...kexInits,
  parserTarget({
    name: 'extension-info',
    about: 'EXT_INFO (RFC 8308)',
    starts: () => [serverExtensionInfo(['ssh-ed25519', 'rsa-sha2-256'])],
    tokens: ['server-sig-algs', 'ping@openssh.com', 'delay-compression'],
    family: [WireError, TransportError],
    parse: (input) => parseExtensionInfo(input),
  }),
  parserTarget({
    name: 'disconnect',
    about: "a peer's last words, which go to logs and terminals",
    starts: () => transportMessages.slice(-1),
    tokens: ['\x1b[2J', '\r\n', '\xe2\x80\xae', '\xc2\x9b'],
    family: [WireError],
    parse: (input) => disconnectEnd(input),
    expect: ({ description }) =>
      expectThat(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*$/u.test(description), 'the text can move a cursor'),
  }),
  plain,
  ...sealed,
];

/** @throws Breach for errors of another family. */
function readPackets(reader: PacketReader, opener: typeof plainOpener, input: Buffer): readonly Buffer[] {
  reader.switchTo(opener, true);
  const read: Buffer[] = [];
  try {
    for (const piece of piecesOf(input)) {
      reader.feed(piece);
      for (let packet = reader.next(); packet !== undefined; packet = reader.next()) read.push(packet);
      reader.keep();
      expectThat(reader.unreadBytes <= 512 * 1024, 'a reader keeps more than a packet');
    }
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
  }
  return read;
}

/** The bytes behind the first, in pieces of so many. */
function piecesOf(input: Buffer): readonly Buffer[] {
  const size = (input[0] ?? 0) === 0 ? input.length : (input[0] ?? 1);
  const pieces: Buffer[] = [];
  for (let at = 1; at < input.length; at += size) pieces.push(Buffer.from(input.subarray(at, at + size)));
  return pieces;
}

function sealedStream(sealer: PacketSealer, packets: readonly Buffer[]): Buffer {
  return Buffer.concat(
    packets.map((packet, sequence) => {
      const out = Buffer.alloc(4 + packet.length + sealer.tagBytes);
      sealer.seal(packet, sequence, out, 0);
      return out;
    }),
  );
}

/** `padding length || payload || padding` (RFC 4253 §6), with padding that is always the same. */
function plainOf(payload: Buffer, { blockBytes, lengthAligned }: PacketSealer): Buffer {
  const head = lengthAligned ? 5 : 1;
  let padding = blockBytes - ((head + payload.length) % blockBytes);
  if (padding < 4) padding += blockBytes;
  return Buffer.concat([Buffer.of(padding), payload, Buffer.alloc(padding)]);
}

function fixedSecrets({ ivBytes, keyBytes, macKeyBytes }: SecretLengths) {
  return {
    iv: Buffer.alloc(ivBytes, 1),
    key: Buffer.alloc(keyBytes, 2),
    macKey: Buffer.alloc(macKeyBytes, 3),
  };
}
