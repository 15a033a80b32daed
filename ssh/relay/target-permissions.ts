import {
  type ChannelOpen,
  type ChannelOpenDetail,
  type ChannelRequest,
  type GlobalRequest,
} from '../connection/index.ts';
import { OpenFailureReason } from '../wire/index.ts';

type Refusal = { readonly reason: number; readonly message: string };

/** A request that asks for a forward or takes one back. */
export type ForwardRequest = GlobalRequest & {
  readonly detail: Extract<GlobalRequest['detail'], { kind: ForwardKind }>;
};

type ForwardKind =
  | 'tcpip-forward'
  | 'cancel-tcpip-forward'
  | 'streamlocal-forward'
  | 'cancel-streamlocal-forward';

/**
 * Which channels either end may open, by the protocol alone and before any policy: a target opens only what the client
 * asked it for, a client only what a client can open.
 */
export class TargetPermissions {
  readonly #maxForwards: number;
  /** Forwards granted, by port and then by the host asked for. */
  readonly #hostsByPort = new Map<number, Set<string>>();
  readonly #paths = new Set<string>();
  #forwards = 0;
  #agent = false;
  #x11 = false;
  #noMoreSessions = false;

  constructor(maxForwards: number) {
    this.#maxForwards = maxForwards;
  }

  /** Whether one more may be asked for beside those granted and `asked`. */
  isForwardLeft(asked: number): boolean {
    return this.#forwards + asked < this.#maxForwards;
  }

  /** Why an open cannot be, or undefined where it is a matter of policy. */
  refusalOf(open: ChannelOpen): Refusal | undefined {
    return open.from === 'client' ? this.#refusalToClient(open.detail) : this.#refusalToTarget(open.detail);
  }

  /** A request of the client was passed on, on a session channel. */
  requestPassed(request: ChannelRequest): void {
    if (request.detail.kind === 'auth-agent-req') this.#agent = true;
    if (request.detail.kind === 'x11-req') this.#x11 = true;
  }

  /** OpenSSH PROTOCOL §2.2: no session may be opened after this. */
  sessionsEnded(): void {
    this.#noMoreSessions = true;
  }

  /** The target granted a forward, or took one back. `boundPort` is what it chose where 0 was asked for. */
  forwardGranted(request: ForwardRequest, boundPort: number | undefined): void {
    const { detail } = request;
    switch (detail.kind) {
      case 'tcpip-forward':
        this.#addPort(boundPort ?? detail.port, detail.host);
        return;
      case 'streamlocal-forward':
        this.#addPath(detail.path);
        return;
      case 'cancel-tcpip-forward':
        this.#removePort(detail.port, detail.host);
        return;
      case 'cancel-streamlocal-forward':
        if (this.#paths.delete(detail.path)) this.#forwards -= 1;
        return;
    }
  }

  #refusalToClient(detail: ChannelOpenDetail): Refusal | undefined {
    switch (detail.kind) {
      case 'session':
        return this.#noMoreSessions ? prohibited('no more sessions may be opened') : undefined;
      case 'direct-tcpip':
      case 'direct-streamlocal':
      case 'unknown':
        return undefined;
      case 'forwarded-tcpip':
      case 'forwarded-streamlocal':
      case 'auth-agent':
      case 'x11':
        return unknownType;
    }
  }

  #refusalToTarget(detail: ChannelOpenDetail): Refusal | undefined {
    switch (detail.kind) {
      case 'forwarded-tcpip':
        return this.#hasForward(detail.host, detail.port) ? undefined : prohibited('no such forward');
      case 'forwarded-streamlocal':
        return this.#paths.has(detail.path) ? undefined : prohibited('no such forward');
      case 'auth-agent':
        return this.#agent ? undefined : prohibited('agent forwarding was not asked for');
      case 'x11':
        return this.#x11 ? undefined : prohibited('X11 forwarding was not asked for');
      case 'session':
      case 'direct-tcpip':
      case 'direct-streamlocal':
        return prohibited('a server cannot open such a channel');
      case 'unknown':
        return unknownType;
    }
  }

  /**
   * The address a server reports is the one asked for (OpenSSH, Dropbear) or the one that was connected (RFC 4254 §7.2),
   * which can differ only where a name or a wildcard was asked for.
   */
  #hasForward(host: string, port: number): boolean {
    const hosts = this.#hostsByPort.get(port);
    if (hosts === undefined) return false;
    if (hosts.has(host)) return true;
    for (const asked of hosts) if (standsForAddresses(asked)) return true;
    return false;
  }

  #addPort(port: number, host: string): void {
    const hosts = this.#hostsByPort.get(port) ?? new Set();
    this.#hostsByPort.set(port, hosts);
    if (!hosts.has(host)) this.#forwards += 1;
    hosts.add(host);
  }

  #removePort(port: number, host: string): void {
    const hosts = this.#hostsByPort.get(port);
    if (hosts === undefined || !hosts.delete(host)) return;
    this.#forwards -= 1;
    if (hosts.size === 0) this.#hostsByPort.delete(port);
  }

  #addPath(path: string): void {
    if (!this.#paths.has(path)) this.#forwards += 1;
    this.#paths.add(path);
  }
}

/** Global requests only a client makes: a server that makes them gets a refusal (RFC 4254 §7.1). */
export function isClientOnly(request: GlobalRequest): boolean {
  return isForwardRequest(request) || request.detail.kind === 'no-more-sessions';
}

export function isForwardRequest(request: GlobalRequest): request is ForwardRequest {
  switch (request.detail.kind) {
    case 'tcpip-forward':
    case 'cancel-tcpip-forward':
    case 'streamlocal-forward':
    case 'cancel-streamlocal-forward':
      return true;
    case 'no-more-sessions':
    case 'keepalive':
    case 'other':
      return false;
  }
}

/**
 * Requests go one way and belong to sessions (RFC 4254 §6): a program is started by the client, an exit status is told
 * by the server. Anything else would be evidence of what did not happen.
 */
export function isMisdirected(channelType: ChannelOpenDetail['kind'], request: ChannelRequest): boolean {
  switch (request.detail.kind) {
    case 'pty-req':
    case 'window-change':
    case 'env':
    case 'shell':
    case 'exec':
    case 'subsystem':
    case 'signal':
    case 'x11-req':
    case 'auth-agent-req':
      return channelType !== 'session' || request.from === 'target';
    case 'exit-status':
    case 'exit-signal':
      return channelType !== 'session' || request.from === 'client';
    case 'other':
      return false;
  }
}

function standsForAddresses(host: string): boolean {
  return host === '' || host === '*' || host === '0.0.0.0' || host === '::' || !numericAddress.test(host);
}

function prohibited(message: string): Refusal {
  return { reason: OpenFailureReason.administrativelyProhibited, message };
}

const unknownType: Refusal = {
  reason: OpenFailureReason.unknownChannelType,
  message: 'unknown channel type',
};
/** Dotted IPv4, or anything with a colon. */
const numericAddress = /^(?:\d+(?:\.\d+){3}|.*:.*)$/s;
