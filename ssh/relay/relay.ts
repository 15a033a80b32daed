import { ConnectionError, type Side } from '../connection/index.ts';
import type { TransportEnd } from '../transport/contract.ts';
import { DisconnectReason, MessageNumber, OpenFailureReason } from '../wire/index.ts';
import type { Channel } from './channel.ts';
import { ChannelOpening } from './channel-opening.ts';
import { ChannelRequests } from './channel-requests.ts';
import { ChannelTable } from './channel-table.ts';
import { ChannelTraffic } from './channel-traffic.ts';
import type { Relay, RelayChannel, RelayEnd, RelayLimits, RelayOptions, RelayTaps } from './contract.ts';
import type { Overseer } from './decision.ts';
import { GlobalRequests } from './global-requests.ts';
import { HostKeyRotation } from './host-key-rotation.ts';
import { Keepalive } from './keepalive.ts';
import { Leg } from './leg.ts';
import { writeNotice } from './notice.ts';
import { endOfFault, endOfLeg, type Farewell } from './relay-end.ts';
import { RelayError } from './relay-error.ts';
import { TargetPermissions } from './target-permissions.ts';

/**
 * Joins two authenticated transports. Takes over both message handlers; call `AuthenticatedUser.accept` in the same turn,
 * for what the target has sent already is delivered in the next one, and must come behind USERAUTH_SUCCESS.
 */
export function createRelay(options: RelayOptions): Relay {
  return new MessageRelay(options);
}

class MessageRelay implements Relay, Overseer {
  readonly ended: Promise<RelayEnd>;
  readonly #resolveEnded: (end: RelayEnd) => void;
  readonly #legs: { readonly client: Leg; readonly target: Leg };
  readonly #table: ChannelTable;
  readonly #opening: ChannelOpening;
  readonly #requests: ChannelRequests;
  readonly #globals: GlobalRequests;
  readonly #traffic: ChannelTraffic;
  readonly #taps: RelayTaps;
  readonly #keepalives: readonly Keepalive[];
  #legsLeft = 2;
  /** Set once the relay is ending; from then on nothing is passed. */
  #end: RelayEnd | undefined;

  constructor({ client, target, gates, taps, limits: given, keepalive, hostKeys = [] }: RelayOptions) {
    const limits: RelayLimits = { ...defaultLimits, ...given };
    const ended = Promise.withResolvers<RelayEnd>();
    this.ended = ended.promise;
    this.#resolveEnded = ended.resolve;
    this.#taps = taps;
    this.#legs = {
      client: new Leg('client', client, limits.maxPendingRequests),
      target: new Leg('target', target, limits.maxPendingRequests),
    };
    const permissions = new TargetPermissions(limits.maxForwards);
    this.#table = new ChannelTable(limits);
    this.#opening = new ChannelOpening(this.#table, permissions, gates, taps, this);
    this.#requests = new ChannelRequests(this.#table, permissions, gates, taps, this);
    const rotation = new HostKeyRotation(hostKeys);
    this.#globals = new GlobalRequests(permissions, gates, taps, this, rotation);
    this.#traffic = new ChannelTraffic(this.#table, gates, taps, this);
    Leg.pair(this.#legs.client, this.#legs.target);
    target.hold();
    this.#takeOver(this.#legs.target);
    this.#takeOver(this.#legs.client);
    setImmediate(() => {
      const announcement = rotation.announcement();
      if (announcement !== undefined && this.#end === undefined) client.send(announcement);
      target.release();
    });
    this.#keepalives =
      keepalive === undefined
        ? []
        : [this.#legs.client, this.#legs.target].map(
            (leg) => new Keepalive(leg, keepalive, () => this.#gone(leg)),
          );
  }

  get channels(): ReadonlyMap<number, RelayChannel> {
    return this.#table.bySerial;
  }

  notice(text: string): number {
    if (this.#end !== undefined) return 0;
    let taken = 0;
    for (const channel of this.#table.bySerial.values())
      if (writeNotice(this.#legs.client, channel, text)) taken += 1;
    return taken;
  }

  end(code: number, description: string): void {
    const farewell = { code, description };
    if (this.#begin({ by: 'gateway', ...farewell })) this.#disconnect({ client: farewell, target: farewell });
  }

  cut(code: number, description: string): void {
    this.#begin({ by: 'gateway', code, description });
    // Even where an orderly end is under way: it may be waiting for a backlog.
    this.#legs.client.transport.cut(code, description);
    this.#legs.target.transport.cut(code, description);
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  fail(leg: Leg, cause: unknown): void {
    const error = asRelayError(leg.side, cause);
    const { end, farewells } = endOfFault(error);
    if (this.#begin(end)) this.#disconnect(farewells);
  }

  #takeOver(leg: Leg): void {
    leg.transport.onMessage = (plain, payloadLength) => {
      if (this.#end !== undefined) return;
      try {
        this.#dispatch(leg, plain, payloadLength);
      } catch (cause) {
        this.fail(leg, cause);
      }
    };
    void leg.transport.ended.then((end) => this.#legEnded(leg, end));
  }

  #dispatch(leg: Leg, plain: Buffer, payloadLength: number): void {
    const message = payloadLength === 0 ? undefined : plain[1];
    switch (message) {
      case MessageNumber.channelData:
        return this.#traffic.data(leg, plain, payloadLength);
      case MessageNumber.channelWindowAdjust:
        return this.#traffic.windowAdjust(leg, plain, payloadLength);
      case MessageNumber.channelExtendedData:
        return this.#traffic.extendedData(leg, plain, payloadLength);
      case MessageNumber.channelEof:
        return this.#traffic.eof(leg, plain, payloadLength);
      case MessageNumber.channelClose:
        return this.#close(leg, plain, payloadLength);
      case MessageNumber.channelRequest:
        return this.#requests.request(leg, plain, payloadLength);
      case MessageNumber.channelSuccess:
        return this.#requests.reply(leg, plain, payloadLength, 'success');
      case MessageNumber.channelFailure:
        return this.#requests.reply(leg, plain, payloadLength, 'failure');
      case MessageNumber.channelOpen:
        return this.#opening.open(leg, plain, payloadLength);
      case MessageNumber.channelOpenConfirmation:
        return this.#opening.confirmation(leg, plain, payloadLength);
      case MessageNumber.channelOpenFailure:
        return this.#opening.failure(leg, plain, payloadLength);
      case MessageNumber.globalRequest:
        return this.#globals.request(leg, plain, payloadLength);
      case MessageNumber.requestSuccess:
        return this.#globals.reply(leg, plain, payloadLength, 'success');
      case MessageNumber.requestFailure:
        return this.#globals.reply(leg, plain, payloadLength, 'failure');
      default:
        if (!isUserAuthentication(message)) leg.transport.rejectCurrent();
    }
  }

  #close(leg: Leg, plain: Buffer, payloadLength: number): void {
    const channel = this.#traffic.close(leg, plain, payloadLength);
    this.#requests.abandon(channel, leg.side);
    if (channel.progress[leg.other.side] !== 'closed') return;
    this.#table.remove(channel);
    this.#taps.channelClosed?.(channel);
    channel.whenOver?.();
  }

  #legEnded(leg: Leg, transportEnd: TransportEnd): void {
    const { end, farewell } = endOfLeg(leg, transportEnd);
    if (this.#begin(end)) leg.other.transport.disconnect(farewell.code, farewell.description);
    this.#legsLeft -= 1;
    if (this.#legsLeft === 0) this.#settle();
  }

  #gone(leg: Leg): void {
    const farewell = {
      code: DisconnectReason.connectionLost,
      description: `the ${leg.side} does not answer`,
    };
    if (!this.#begin({ by: leg.side, ...farewell })) return;
    leg.transport.cut(farewell.code, farewell.description);
    leg.other.transport.disconnect(farewell.code, farewell.description);
  }

  /** The first reason to end is the one that is told. Returns whether this is it. */
  #begin(end: RelayEnd): boolean {
    if (this.#end !== undefined) return false;
    this.#end = end;
    for (const keepalive of this.#keepalives) keepalive.stop();
    return true;
  }

  #disconnect(farewells: { readonly client: Farewell; readonly target: Farewell }): void {
    this.#legs.client.transport.disconnect(farewells.client.code, farewells.client.description);
    this.#legs.target.transport.disconnect(farewells.target.code, farewells.target.description);
  }

  /** Both legs are gone: observers hear the end of everything that was still open. */
  #settle(): void {
    const end = this.#end;
    if (end === undefined) return;
    const failures: unknown[] = [];
    const attempt = (tell: () => void) => {
      try {
        tell();
      } catch (cause) {
        failures.push(cause);
      }
    };
    for (const channel of this.#table.bySerial.values()) attempt(() => this.#abandonChannel(channel));
    attempt(() => this.#globals.abandon(this.#legs.client));
    attempt(() => this.#globals.abandon(this.#legs.target));
    const [failure] = failures;
    this.#resolveEnded(
      failure === undefined || end.error !== undefined
        ? end
        : { ...end, error: asRelayError(undefined, failure) },
    );
  }

  #abandonChannel(channel: Channel): void {
    this.#table.remove(channel);
    if (!channel.isOpen) {
      this.#taps.channelRefused?.(channel.open, OpenFailureReason.connectFailed, 'the connection ended');
      return;
    }
    this.#requests.abandon(channel, 'client');
    this.#requests.abandon(channel, 'target');
    this.#taps.channelClosed?.(channel);
  }
}

/** RFC 4252 §5.3: ignored once authentication has succeeded. */
function isUserAuthentication(message: number | undefined): boolean {
  return message !== undefined && message >= 50 && message < 80;
}

function asRelayError(side: Side | undefined, cause: unknown): RelayError {
  if (cause instanceof RelayError) return cause;
  if (cause instanceof ConnectionError)
    return new RelayError(
      'malformed',
      `the ${side} sent a message that makes no sense: ${cause.message}`,
      side,
      {
        cause,
      },
    );
  return new RelayError('internal', 'the gateway failed while it passed a message', undefined, { cause });
}

const defaultLimits: RelayLimits = {
  maxChannels: 256,
  maxPendingRequests: 256,
  maxPendingChannelRequests: 64,
  maxForwards: 256,
  noticeReserveBytes: 4096,
  gateReserveBytes: 0,
};
