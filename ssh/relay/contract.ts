import type { ChannelOpen, ChannelRequest, GlobalRequest, Side } from '../connection/contract.ts';
import type { PrivateKey } from '../keys/contract.ts';
import type { Transport } from '../transport/contract.ts';

/**
 * What a gate decides. `refuse` answers for the other end: OPEN_FAILURE with the reason, CHANNEL_FAILURE or REQUEST_FAILURE.
 * `drop` lets nothing through and answers nothing; what must be answered, an open or a request that wants a reply, is refused instead.
 */
export type Verdict =
  | { readonly kind: 'pass' }
  | {
      readonly kind: 'refuse';
      readonly openFailureReason?: number;
      readonly message: string;
      /**
       * For the client's shell, exec or subsystem: the channel ends as that of a program which wrote the message to its standard
       * error and exited so, since CHANNEL_FAILURE has no room for a reason and stock clients drop what came before it.
       */
      readonly exitStatus?: number;
    }
  | { readonly kind: 'drop' };

/** What becomes of data. What is dropped is credited to its sender, so that the channel goes on; no tap sees it, nor what was replaced. */
export type DataVerdict =
  | 'pass'
  | 'drop'
  | {
      readonly kind: 'replace';
      /**
       * What goes on in its place. The gate may keep bytes back and let them follow with later data: until they do, or are given up as
       * dropped, nothing more is credited for them, so it keeps but a small part of any window.
       */
      readonly onward: readonly Buffer[];
      /** Bytes of the sender, of this data or kept back, that never go on. */
      readonly dropped: number;
      /** Bytes of `onward` that the sender never sent: they, and `back`, come out of the window held back. */
      readonly added: number;
      /** To the sender, as if the other side had sent it. */
      readonly back: readonly Buffer[];
    }
  | {
      readonly kind: 'hold';
      /** So many bytes of the beginning pass at once. */
      readonly pass: number;
      /**
       * What becomes of the rest. Until it settles, the rest waits, and with it the data and the end that its sender lets follow on the
       * channel, uncredited; everything else goes on. One that is rejected ends the relay.
       */
      readonly until: Promise<HeldVerdict>;
    }
  /** Ends the relay: what was sent can neither pass nor be left out. */
  | { readonly kind: 'refuse'; readonly message: string };

/** What becomes of the beginning of what was held. What remains is asked about again. */
export type HeldVerdict = {
  /** At most as many as were held of the data that was asked about; with 0 it is asked about again as it is. */
  readonly bytes: number;
  /** What goes on in their place, never longer; what is missing is credited. Absent: they pass. */
  readonly onward?: Buffer;
  /** A line for the client's terminal, said where the window held back has room for it. */
  readonly notice?: string;
};

/** A channel between the two ends, from CHANNEL_OPEN to both CLOSEs. Numbers are never reused within a relay. */
export interface RelayChannel {
  /** Counts from 1 within the relay. */
  readonly serial: number;
  readonly open: ChannelOpen;
  /** Payload bytes so far, by the side that sent them (data and extended data). */
  readonly bytesFrom: { readonly client: number; readonly target: number };
}

/** How the other end answered something that was passed on. */
export type Answer = 'success' | 'failure' | 'none';

/**
 * Decides; each may take its time, and until it has decided nothing later from that leg is delivered. The gateway makes
 * its event durable in here, so that nothing reaches the target before its evidence. A rejected promise ends the relay.
 */
export interface RelayGates {
  channelOpen(open: ChannelOpen): Verdict | Promise<Verdict>;
  channelRequest(channel: RelayChannel, request: ChannelRequest): Verdict | Promise<Verdict>;
  globalRequest(request: GlobalRequest): Verdict | Promise<Verdict>;
  /**
   * Data on its way, in the form the tap gets it; at once, since it is asked for every packet. Absent: all data passes.
   * It may be changed in place.
   */
  channelData?(channel: RelayChannel, from: Side, stream: 'data' | 'stderr', data: Buffer): DataVerdict;
}

/** Observes; synchronous, must not throw and must not keep `data` beyond the call (copy what is to be kept). */
export interface RelayTaps {
  channelOpened?(channel: RelayChannel): void;
  /** A passed-on CHANNEL_OPEN that the other end refused. */
  channelRefused?(open: ChannelOpen, reason: number, message: string): void;
  channelRequestAnswered?(channel: RelayChannel, request: ChannelRequest, answer: Answer): void;
  /** `boundPort` is the port the target chose where 0 was asked for (RFC 4254 §7.1). */
  globalRequestAnswered?(request: GlobalRequest, answer: Answer, boundPort?: number): void;
  /** `stream` is `stderr` for extended data type 1, `data` otherwise. */
  channelData?(channel: RelayChannel, from: Side, stream: 'data' | 'stderr', data: Buffer): void;
  channelEof?(channel: RelayChannel, from: Side): void;
  channelClosed?(channel: RelayChannel): void;
  /** Something was refused since as many as the limits allow are open; told each time. */
  limitReached?(limit: 'channels' | 'forwards'): void;
}

export type RelayLimits = {
  /** Open channels at once per connection, both directions together. */
  readonly maxChannels: number;
  /** Unanswered global requests per direction. */
  readonly maxPendingRequests: number;
  /** Unanswered requests on one channel per direction. */
  readonly maxPendingChannelRequests: number;
  /** Forwards asked for and granted at once (RFC 4254 §7.1 and OpenSSH's streamlocal-forward). */
  readonly maxForwards: number;
  /** Window held back on session channels so that the gateway may write to them (bytes). 0 turns notices off. */
  readonly noticeReserveBytes: number;
  /** The same, each way, for what data gates add (bytes). */
  readonly gateReserveBytes: number;
};

export type KeepaliveSettings = {
  /** Silence of a peer after which it is asked whether it is there (keepalive@openssh.com), and between two such questions. */
  readonly intervalMs: number;
  /** Unanswered questions after which the relay ends. */
  readonly maxUnanswered: number;
};

export type RelayOptions = {
  /** The engineer's connection: we are the server, authentication has succeeded. */
  readonly client: Transport;
  /** The connection to the target: we are the client, authentication has succeeded. */
  readonly target: Transport;
  readonly gates: RelayGates;
  readonly taps: RelayTaps;
  readonly limits?: Partial<RelayLimits>;
  /** Absent: no peer is asked. */
  readonly keepalive?: KeepaliveSettings;
  /** What the client is told of our host keys and may have proved (OpenSSH PROTOCOL §2.5); nothing where absent. */
  readonly hostKeys?: readonly PrivateKey[];
};

export type RelayEnd = {
  /** Whose end came first. `gateway` when `end` or `cut` was called. */
  readonly by: Side | 'gateway' | 'fault';
  /** RFC 4253 §11.1 code. */
  readonly code: number;
  readonly description: string;
  readonly error?: Error;
};

/** Passes the connection protocol (RFC 4254) between two authenticated transports, message by message, windows end to end. */
export interface Relay {
  /** Settles once both legs have ended; never rejects. All `channelClosed` taps have been called by then. */
  readonly ended: Promise<RelayEnd>;
  readonly channels: ReadonlyMap<number, RelayChannel>;
  /** Writes a line of text to the terminal of every open session channel that has a pty, within the held-back window. Returns how many took it. */
  notice(text: string): number;
  /** Orderly: DISCONNECT with the text to both legs after what is queued. */
  end(code: number, description: string): void;
  /** At once, without waiting for a backlog: for revocation. */
  cut(code: number, description: string): void;
}
