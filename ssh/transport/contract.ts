import type { PrivateKey } from '../keys/contract.ts';

/** Which end of the protocol this process plays (RFC 4253 §4). */
export type Role = 'client' | 'server';

/**
 * The reliable byte stream beneath a transport. `onBytes` chunks are valid during the callback only.
 * Two makers: `linkFromSocket` (TCP, shared receive buffer) and `linkFromDuplex` (any Duplex, e.g. a channel).
 */
export interface ByteLink {
  /** Called once by the transport; reading starts then. */
  open(events: ByteLinkEvents): void;
  /** Takes ownership of nothing: `bytes` may be reused when `onTaken` was called (may be called synchronously). */
  write(bytes: Buffer, onTaken: () => void): void;
  /** Bytes written and not yet taken by the kernel or the stream beneath. */
  readonly pendingBytes: number;
  pause(): void;
  resume(): void;
  /** Flushes, then closes both directions; forced after `graceMs` without progress. */
  end(graceMs: number): void;
  destroy(): void;
}

export interface ByteLinkEvents {
  onBytes(chunk: Buffer): void;
  /** All written bytes have been taken. */
  onDrained(): void;
  /** Once; nothing follows. `error` is absent on an orderly end. */
  onClosed(error?: Error): void;
}

/** A host key the server role may present: a plain key, or one with an OpenSSH host certificate. */
export type HostKey = {
  readonly privateKey: PrivateKey;
  /** Certificate blob; presented under the `-cert-v01@openssh.com` algorithm names. */
  readonly certificate?: Buffer;
};

export type HostKeyVerdict =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly reason: string };

/** Names in order of preference. The profile tables of `ssh/algorithms` make these. */
export type AlgorithmPreferences = {
  readonly keyExchange: readonly string[];
  readonly hostKey: readonly string[];
  readonly cipher: readonly string[];
  readonly mac: readonly string[];
};

/** What the first key exchange settled; renewed at each rekey. `mac` is `implicit` for AEAD ciphers. */
export type NegotiatedAlgorithms = {
  readonly keyExchange: string;
  readonly hostKey: string;
  readonly cipherIn: string;
  readonly cipherOut: string;
  readonly macIn: string;
  readonly macOut: string;
  readonly strict: boolean;
};

export type TransportLimits = {
  /** Start a key exchange after this many bytes in either direction. */
  readonly rekeyBytes: number;
  /** ... or this long after the last one. */
  readonly rekeyIntervalMs: number;
  /** Output not yet taken by the peer (socket backlog and key exchange queue) over which `onBacklog` says pause. */
  readonly backlogHighBytes: number;
  readonly backlogLowBytes: number;
  /** Output backlog at which the connection is cut, whatever the layer above does. */
  readonly backlogLimitBytes: number;
  /** Close a connection whose backlog made no progress for this long (dead or hostile peer). */
  readonly writeStallMs: number;
  /** Bytes handled per turn of the event loop before other connections get theirs. */
  readonly turnBytes: number;
  /** Everything a peer may send before the first key exchange is done, banner lines included. */
  readonly bytesBeforeReady: number;
  /** IGNORE, DEBUG and UNIMPLEMENTED messages before the first key exchange is done. */
  readonly noiseBeforeReady: number;
  /** From the start to `ready`, and for each later key exchange. Time held by the layer above does not count. */
  readonly keyExchangeTimeoutMs: number;
};

export type TransportOptions = {
  readonly role: Role;
  /** Software version of the identification string, without `SSH-2.0-`. */
  readonly softwareVersion: string;
  readonly algorithms: AlgorithmPreferences;
  readonly limits?: Partial<TransportLimits>;
  /** Server role. */
  readonly hostKeys?: readonly HostKey[];
  /** Client role: called with the key blob (a plain key or a host certificate) after its signature over H verified. */
  readonly verifyHostKey?: (blob: Buffer, algorithm: string) => HostKeyVerdict;
  /** server-sig-algs to announce in EXT_INFO (server role). */
  readonly serverSignatureAlgorithms?: readonly string[];
};

export type TransportEnd = {
  /** `disconnect`: the peer sent SSH_MSG_DISCONNECT; `closed`: the stream ended; `local`: we ended it; `fault`: a protocol error, timeout or limit. */
  readonly kind: 'disconnect' | 'closed' | 'local' | 'fault';
  /** RFC 4253 §11.1 reason code where one was sent or received. */
  readonly code: number;
  /** One line, safe to print. */
  readonly description: string;
  readonly error?: Error;
};

/**
 * One SSH transport (RFC 4253) in either role. Key exchange, rekeying, IGNORE, DEBUG, UNIMPLEMENTED, EXT_INFO, PING and
 * DISCONNECT are handled inside; every other message goes to `onMessage`.
 *
 * A message is `plain` and `payloadLength`: the payload is `plain[1 .. 1 + payloadLength)`, its number `plain[1]`;
 * byte 0 is the padding length and the padding follows the payload. `plain` is memory of its own and may be kept.
 */
export interface Transport {
  readonly role: Role;
  /** Settles after the first key exchange (and, as client, after the host key was accepted). Rejects with TransportError. */
  readonly ready: Promise<void>;
  /** Settles once, never rejects. */
  readonly ended: Promise<TransportEnd>;
  /** The peer's identification string without line end, e.g. `SSH-2.0-OpenSSH_9.2p1`. */
  readonly remoteIdentification: string;
  /** Exchange hash of the first key exchange. */
  readonly sessionId: Buffer;
  readonly negotiated: NegotiatedAlgorithms;
  /** `server-sig-algs` the peer announced by EXT_INFO, if it did. */
  readonly peerSignatureAlgorithms: readonly string[] | undefined;
  /** Bytes of payload received and sent after the first key exchange. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Bytes sent that the peer's host has not taken. */
  readonly backlogBytes: number;

  /** Message handler of the layer above. Replaced when authentication ends; messages arriving with none set are held. */
  onMessage: ((plain: Buffer, payloadLength: number) => void) | undefined;
  /** `true` when the backlog passed its high mark, `false` when it is below the low mark again. */
  onBacklog: ((congested: boolean) => void) | undefined;

  /** Sends one payload. During a key exchange it is queued and sent after NEWKEYS. */
  send(payload: Uint8Array): void;
  /** Sends a message received on another transport, with its padding where both framings allow. */
  forward(plain: Buffer, payloadLength: number): void;
  /** `forward` for a message nobody needs any more: `plain` may be empty when this returns, its memory given back. */
  handOver(plain: Buffer, payloadLength: number): void;
  /** SSH_MSG_UNIMPLEMENTED for the message being handled now; only from within `onMessage`. */
  rejectCurrent(): void;

  /** Stops delivering messages after the current one (and so parsing); counted, each hold needs its release. Released messages are delivered in order. */
  hold(): void;
  release(): void;
  /** Backpressure: stops reading from the link. Ignored while a key exchange runs, and applied again after it. */
  setReadPaused(paused: boolean): void;

  /** Asks for a key exchange now. */
  rekey(): void;
  /** Sends DISCONNECT behind what is queued, flushes, closes; destroys after `graceMs` (default 2000) without write progress. */
  disconnect(code: number, description: string, graceMs?: number): void;
  /** Like `disconnect` without waiting for a backlog: DISCONNECT is tried, then the link destroyed within `graceMs` (default 200). For revocation. */
  cut(code: number, description: string, graceMs?: number): void;
}
