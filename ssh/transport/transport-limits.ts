import type { TransportLimits } from './contract.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

export const defaultLimits: TransportLimits = {
  rekeyBytes: 1024 * MIB,
  rekeyIntervalMs: 3_600_000,
  backlogHighBytes: MIB,
  backlogLowBytes: 256 * KIB,
  backlogLimitBytes: 16 * MIB,
  writeStallMs: 60_000,
  turnBytes: 256 * KIB,
  bytesBeforeReady: 256 * KIB,
  noiseBeforeReady: 32,
  keyExchangeTimeoutMs: 30_000,
};

/** Largest packet_length sent and accepted; OpenSSH's PACKET_MAX_SIZE. */
export const MAX_PACKET_LENGTH = 256 * KIB;
/** RFC 4253 §6: a packet has at least 16 bytes, 4 of them its length. */
export const MIN_PACKET_LENGTH = 12;
/** From here on a peer that takes none of the answers it asks for is not read; what it had asked for by then comes to more. */
export const UNREAD_REPLY_BYTES = 64 * KIB;
/** How long it has to take one. */
export const UNREAD_REPLY_MS = 3000;
/** PONG and UNIMPLEMENTED answers owed to a peer that takes none of our output. */
export const MAX_UNTAKEN_REPLY_BYTES = MIB;
/** Packets under one key: half of what the 32-bit sequence number can count (RFC 4344 §3.1 allows 2^32). */
export const MAX_PACKETS_PER_KEY = 2 ** 31;
