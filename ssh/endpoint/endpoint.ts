import {
  type ChannelOpen,
  type ChannelOpenDetail,
  ConnectionError,
  DATA_OFFSET,
  dataLengthOf,
  decodeChannelOpen,
  decodeChannelRequest,
  decodeGlobalRequest,
  decodeOpenConfirmation,
  decodeOpenFailure,
  EXTENDED_DATA_OFFSET,
  EXTENDED_DATA_STDERR,
  encodeChannelOpen,
  encodeGlobalRequest,
  encodeOpenConfirmation,
  encodeOpenFailure,
  encodeRequestFailure,
  encodeRequestSuccess,
  extendedDataLengthOf,
  extendedDataTypeOf,
  type GlobalRequest,
  type GlobalRequestDetail,
  recipientChannelOf,
  type Side,
  soleRecipientChannelOf,
  windowAdjustOf,
} from '../connection/index.ts';
import type { Transport, TransportEnd } from '../transport/contract.ts';
import { DisconnectReason, MessageNumber, OpenFailureReason } from '../wire/index.ts';
import { AnswerLine } from './answer-line.ts';
import { type ChannelTerms, channelPacketBytes, channelWindowBytes, EndpointChannel } from './channel.ts';
import { EndpointError } from './endpoint-error.ts';

/** `accept` gets the channel right after its confirmation, before anything else of the peer is looked at. */
export type OpenDecision =
  | { readonly accept: (channel: EndpointChannel) => void }
  | { readonly refuse: { readonly reason: number; readonly message: string } };

/** `data` is for the few requests whose success carries some, such as the bound port (RFC 4254 §7.1). */
type GlobalAnswer = { readonly success: boolean; readonly data?: Uint8Array };

/** Without a handler, channels are refused and requests fail. A handler that throws ends the connection. */
export type EndpointHandlers = {
  readonly onOpen?: (open: ChannelOpen) => OpenDecision | Promise<OpenDecision>;
  readonly onGlobalRequest?: (request: GlobalRequest) => GlobalAnswer | Promise<GlobalAnswer>;
};

/** One end of the connection protocol (RFC 4254) that is ours: it holds channels instead of passing them on. */
export interface Endpoint {
  /** Settles once, never rejects. `error` is what a handler threw, if that ended it. */
  readonly ended: Promise<TransportEnd>;
  openSession(): Promise<EndpointChannel>;
  openDirectTcpip(destination: { readonly host: string; readonly port: number }): Promise<EndpointChannel>;
  /** Any type of channel. Rejects with EndpointError, code `open-refused` when the peer will not have it. */
  open(type: string, detail: ChannelOpenDetail): Promise<EndpointChannel>;
  /** A global request (RFC 4254 §4); resolves with success at once where no reply is wanted. */
  request(type: string, detail: GlobalRequestDetail, wantReply: boolean): Promise<GlobalAnswer>;
}

/** Takes over an authenticated transport: its `onMessage` and `onBacklog`. */
export function createEndpoint(transport: Transport, handlers: EndpointHandlers = {}): Endpoint {
  return new ConnectionEndpoint(transport, handlers);
}

const maxPeerChannels = 1024;
const maxPendingRequests = 128;
/** Data all channels together hand to the transport in one turn of the event loop, which only then knows its backlog. */
const turnDataBytes = 512 * 1024;

type Opening = {
  readonly type: string;
  readonly resolve: (channel: EndpointChannel) => void;
  readonly reject: (error: EndpointError) => void;
};

class ConnectionEndpoint implements Endpoint {
  readonly ended: Promise<TransportEnd>;
  readonly #transport: Transport;
  readonly #handlers: EndpointHandlers;
  readonly #peer: Side;
  readonly #channels = new Map<number, EndpointChannel>();
  readonly #opening = new Map<number, Opening>();
  readonly #replies: ((reply: GlobalAnswer | EndpointError) => void)[] = [];
  readonly #answers: AnswerLine<GlobalAnswer>;
  #nextChannel = 0;
  /** CHANNEL_OPENs of the peer that wait for a decision. */
  #deciding = 0;
  #congested = false;
  /** Channels with data that may not be sent now, the one that waits longest first. */
  readonly #waiting = new Set<EndpointChannel>();
  #turnBytes = 0;
  #turnEnds: NodeJS.Immediate | undefined;
  #isOver = false;
  #fault: { readonly error: unknown } | undefined;

  constructor(transport: Transport, handlers: EndpointHandlers) {
    this.#transport = transport;
    this.#handlers = handlers;
    this.#peer = transport.role === 'server' ? 'client' : 'target';
    this.#answers = new AnswerLine((error) => this.#fail(error));
    this.ended = transport.ended.then((end) => this.#end(end));
    transport.onBacklog = (congested) => {
      this.#congested = congested;
      if (!congested) this.#flushWaiting();
    };
    transport.onMessage = (plain, payloadLength) => {
      try {
        this.#receive(plain, payloadLength);
      } catch (error) {
        this.#fail(error);
      }
    };
  }

  openSession(): Promise<EndpointChannel> {
    return this.open('session', { kind: 'session' });
  }

  openDirectTcpip(destination: { readonly host: string; readonly port: number }): Promise<EndpointChannel> {
    return this.open('direct-tcpip', {
      kind: 'direct-tcpip',
      host: destination.host,
      port: destination.port,
      originHost: '127.0.0.1',
      originPort: 0,
    });
  }

  open(type: string, detail: ChannelOpenDetail): Promise<EndpointChannel> {
    if (this.#isOver) return Promise.reject(connectionEnded());
    const senderChannel = this.#nextChannel++;
    this.#transport.send(
      encodeChannelOpen({
        type,
        senderChannel,
        initialWindow: channelWindowBytes,
        maximumPacket: channelPacketBytes,
        detail,
      }),
    );
    return new Promise((resolve, reject) => {
      this.#opening.set(senderChannel, { type, resolve, reject });
    });
  }

  request(type: string, detail: GlobalRequestDetail, wantReply: boolean): Promise<GlobalAnswer> {
    if (this.#isOver) return Promise.reject(connectionEnded());
    if (this.#replies.length >= maxPendingRequests)
      return Promise.reject(
        new EndpointError('too-many-requests', `${maxPendingRequests} requests wait for an answer already`),
      );
    this.#transport.send(encodeGlobalRequest({ type, wantReply, detail }));
    if (!wantReply) return Promise.resolve({ success: true });
    return new Promise((resolve, reject) => {
      this.#replies.push((reply) => (reply instanceof EndpointError ? reject(reply) : resolve(reply)));
    });
  }

  #receive(plain: Buffer, length: number): void {
    const number = plain.readUInt8(1);
    const payload = plain.subarray(1, 1 + length);
    switch (number) {
      case MessageNumber.channelData:
      case MessageNumber.channelExtendedData:
        return this.#receiveData(number, plain, length);
      case MessageNumber.channelWindowAdjust:
        return this.#channel(recipientChannelOf(plain, 1, length)).receiveAdjust(
          windowAdjustOf(plain, 1, length),
        );
      case MessageNumber.channelRequest: {
        const { recipientChannel, request } = decodeChannelRequest(payload, this.#peer);
        return this.#channel(recipientChannel).receiveRequest(request);
      }
      case MessageNumber.channelSuccess:
      case MessageNumber.channelFailure:
        return this.#channel(soleRecipientChannelOf(plain, 1, length)).receiveReply(
          number === MessageNumber.channelSuccess,
        );
      case MessageNumber.channelEof:
        return this.#channel(soleRecipientChannelOf(plain, 1, length)).receiveEof();
      case MessageNumber.channelClose:
        return this.#channel(soleRecipientChannelOf(plain, 1, length)).receiveClose();
      case MessageNumber.channelOpen:
        return this.#receiveOpen(decodeChannelOpen(payload, this.#peer));
      case MessageNumber.channelOpenConfirmation:
        return this.#receiveConfirmation(payload);
      case MessageNumber.channelOpenFailure:
        return this.#receiveOpenFailure(payload);
      case MessageNumber.globalRequest:
        return this.#receiveGlobalRequest(decodeGlobalRequest(payload, this.#peer));
      case MessageNumber.requestSuccess:
      case MessageNumber.requestFailure:
        return this.#receiveReply(number === MessageNumber.requestSuccess, payload);
      default:
        // RFC 4252 §5.3: late messages of authentication are ignored.
        if (number < MessageNumber.userauthRequest || number >= MessageNumber.globalRequest)
          this.#transport.rejectCurrent();
    }
  }

  #receiveData(number: number, plain: Buffer, length: number): void {
    const channel = this.#channel(recipientChannelOf(plain, 1, length));
    if (number === MessageNumber.channelData) {
      const start = 1 + DATA_OFFSET;
      channel.receiveData('data', plain.subarray(start, start + dataLengthOf(plain, 1, length)));
      return;
    }
    const start = 1 + EXTENDED_DATA_OFFSET;
    const data = plain.subarray(start, start + extendedDataLengthOf(plain, 1, length));
    channel.receiveData(extendedDataTypeOf(plain, 1) === EXTENDED_DATA_STDERR ? 'stderr' : 'unknown', data);
  }

  #receiveOpen(open: ChannelOpen): void {
    const refuse = (reason: number, message: string): void =>
      this.#transport.send(encodeOpenFailure(open.senderChannel, reason, message));
    const { onOpen } = this.#handlers;
    if (onOpen === undefined)
      return refuse(OpenFailureReason.administrativelyProhibited, 'no channels are taken here');
    if (open.maximumPacket === 0)
      return refuse(OpenFailureReason.resourceShortage, 'a maximum packet of 0 carries no data');
    if (this.#channels.size + this.#deciding >= maxPeerChannels)
      return refuse(OpenFailureReason.resourceShortage, 'too many channels are open');
    const conclude = (decision: OpenDecision): void => {
      if (this.#isOver) return;
      if ('refuse' in decision) return refuse(decision.refuse.reason, decision.refuse.message);
      decision.accept(this.#confirm(open));
    };
    const decision = onOpen(open);
    if (!(decision instanceof Promise)) return conclude(decision);
    this.#deciding += 1;
    decision
      .finally(() => {
        this.#deciding -= 1;
      })
      .then(conclude)
      .catch((error: unknown) => this.#fail(error));
  }

  #confirm(open: ChannelOpen): EndpointChannel {
    const localChannel = this.#nextChannel++;
    this.#transport.send(
      encodeOpenConfirmation({
        recipientChannel: open.senderChannel,
        senderChannel: localChannel,
        initialWindow: channelWindowBytes,
        maximumPacket: channelPacketBytes,
      }),
    );
    return this.#add({
      type: open.type,
      localChannel,
      remoteChannel: open.senderChannel,
      window: open.initialWindow,
      maximumPacket: open.maximumPacket,
      isOpener: false,
    });
  }

  #receiveConfirmation(payload: Buffer): void {
    const confirmation = decodeOpenConfirmation(payload);
    const opening = this.#takeOpening(confirmation.recipientChannel);
    opening.resolve(
      this.#add({
        type: opening.type,
        localChannel: confirmation.recipientChannel,
        remoteChannel: confirmation.senderChannel,
        window: confirmation.initialWindow,
        maximumPacket: confirmation.maximumPacket,
        isOpener: true,
      }),
    );
  }

  #receiveOpenFailure(payload: Buffer): void {
    const { recipientChannel, reason, message } = decodeOpenFailure(payload);
    this.#takeOpening(recipientChannel).reject(
      new EndpointError('open-refused', `the peer refused the channel: ${message}`, { reason }),
    );
  }

  #takeOpening(localChannel: number): Opening {
    const opening = this.#opening.get(localChannel);
    if (opening === undefined)
      throw new EndpointError(
        'protocol',
        `an answer came for channel ${localChannel}, which is not being opened`,
      );
    this.#opening.delete(localChannel);
    return opening;
  }

  #receiveGlobalRequest(request: GlobalRequest): void {
    const taken = this.#answers.add(
      () => this.#handlers.onGlobalRequest?.(request) ?? { success: false },
      (answer) => {
        if (!request.wantReply || this.#isOver) return;
        this.#transport.send(answer.success ? encodeRequestSuccess(answer.data) : encodeRequestFailure());
      },
    );
    if (!taken) throw new EndpointError('protocol', 'too many global requests came at once');
  }

  #receiveReply(success: boolean, payload: Buffer): void {
    const reply = this.#replies.shift();
    if (reply === undefined) throw new EndpointError('protocol', 'a reply came that nothing had asked for');
    reply({ success, data: payload.subarray(1) });
  }

  #add(terms: ChannelTerms): EndpointChannel {
    const send = (payload: Buffer): void => {
      if (!this.#isOver) this.#transport.send(payload);
    };
    const channel = new EndpointChannel(terms, {
      send,
      sendData: (payload) => {
        this.#turnBytes += payload.length;
        this.#turnEnds ??= setImmediate(() => this.#startTurn());
        send(payload);
      },
      maySendData: (sender) => {
        if (!this.#isHeld) return true;
        this.#waiting.add(sender);
        return false;
      },
      forget: (localChannel) => {
        this.#channels.delete(localChannel);
        this.#waiting.delete(channel);
      },
    });
    this.#channels.set(terms.localChannel, channel);
    return channel;
  }

  get #isHeld(): boolean {
    return this.#congested || this.#turnBytes >= turnDataBytes;
  }

  #startTurn(): void {
    this.#turnEnds = undefined;
    this.#turnBytes = 0;
    this.#flushWaiting();
  }

  /** A channel that is held again goes to the end of the line. */
  #flushWaiting(): void {
    for (const channel of this.#waiting) {
      if (this.#isHeld) return;
      this.#waiting.delete(channel);
      channel.flush();
    }
  }

  #channel(localChannel: number): EndpointChannel {
    const channel = this.#channels.get(localChannel);
    if (channel === undefined)
      throw new EndpointError('protocol', `a message came for channel ${localChannel}, which is not open`);
    return channel;
  }

  /** A peer that broke the protocol, or a handler of ours that threw: either way the connection cannot go on. */
  #fail(error: unknown): void {
    if (this.#isOver || this.#fault !== undefined) return;
    this.#fault = { error };
    this.#transport.onMessage = () => undefined;
    if (error instanceof EndpointError || error instanceof ConnectionError)
      this.#transport.disconnect(DisconnectReason.protocolError, error.message);
    else this.#transport.disconnect(DisconnectReason.byApplication, 'this end cannot go on');
  }

  #end(end: TransportEnd): TransportEnd {
    this.#isOver = true;
    const error = connectionEnded(end);
    for (const opening of this.#opening.values()) opening.reject(error);
    this.#opening.clear();
    for (const reply of this.#replies.splice(0)) reply(error);
    for (const channel of this.#channels.values()) channel.connectionEnded(error);
    this.#channels.clear();
    this.#waiting.clear();
    clearImmediate(this.#turnEnds);
    if (this.#fault === undefined) return end;
    const { error: fault } = this.#fault;
    return { ...end, kind: 'fault', error: fault instanceof Error ? fault : new Error(String(fault)) };
  }
}

function connectionEnded(end?: TransportEnd): EndpointError {
  return new EndpointError(
    'connection-ended',
    end === undefined ? 'the connection is over' : `the connection is over: ${end.description}`,
    end?.error === undefined ? {} : { cause: end.error },
  );
}
