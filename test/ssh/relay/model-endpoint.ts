import { expect } from 'vitest';
import {
  type ChannelOpenDetail,
  DATA_OFFSET,
  decodeChannelOpen,
  decodeChannelRequest,
  decodeGlobalRequest,
  decodeOpenConfirmation,
  decodeOpenFailure,
  type EncodableChannelRequest,
  EXTENDED_DATA_OFFSET,
  encodeChannelFailure,
  encodeChannelOpen,
  encodeChannelRequest,
  encodeChannelSuccess,
  encodeClose,
  encodeData,
  encodeEof,
  encodeExtendedData,
  encodeGlobalRequest,
  encodeOpenConfirmation,
  encodeOpenFailure,
  encodeRequestFailure,
  encodeRequestSuccess,
  encodeWindowAdjust,
  type Side,
} from '../../../ssh/connection/index.ts';
import type { MemoryTransport } from '../../support/memory-transport.ts';

/** What a gate of the test is to do, carried in the name of an open or request: `pass-2-17@example.com`. */
export type Fate = { readonly verdict: 'pass' | 'refuse'; readonly delay: number };

function typeOf(fate: Fate, id: number): string {
  return `${fate.verdict}-${fate.delay}-${id}@example.com`;
}

export function fateOf(type: string): Fate & { readonly id: number } {
  const [verdict, delay, id] = type.split(/[-@]/);
  return { verdict: verdict === 'pass' ? 'pass' : 'refuse', delay: Number(delay), id: Number(id) };
}

/** Whether the other end grants the request with this id; both model ends know the rule. */
function grants(id: number): boolean {
  return id % 3 !== 0;
}

export type ModelChannel = {
  readonly own: number;
  peer: number | undefined;
  /** Bytes we may send, and bytes the peer may send. */
  sendWindow: number;
  receiveWindow: number;
  sendPacket: number;
  readonly receivePacket: number;
  sentEof: boolean;
  sentClose: boolean;
  gotEof: boolean;
  gotClose: boolean;
  readonly sent: Buffer[];
  readonly got: Buffer[];
  /** Ids of our requests without an answer, and of the peer's that wait for ours. */
  readonly asked: number[];
  readonly owed: number[];
};

/** One choice of a random run: which action, and numbers to shape it by. */
export type Step = {
  readonly action: number;
  readonly pick: number;
  readonly size: number;
  readonly fate: Fate;
};

/**
 * An end of the connection protocol that does only what is legal, at random, and checks that everything it gets is legal
 * and what it must be: windows, packet sizes, order of replies, states.
 */
export class ModelEndpoint {
  readonly channels = new Map<number, ModelChannel>();
  /** All channels that were confirmed, in that order, by who opened them: both ends count alike. */
  readonly opened: { readonly byUs: ModelChannel[]; readonly byPeer: ModelChannel[] } = {
    byUs: [],
    byPeer: [],
  };
  notices = 0;
  /** What was wrong with what came. */
  readonly faults: unknown[] = [];
  readonly askedGlobally: number[] = [];
  readonly owedGlobally: number[] = [];
  readonly #side: Side;
  readonly #transport: MemoryTransport;
  readonly #nextId: () => number;
  readonly #opens: { readonly number: number; readonly window: number; readonly packet: number }[] = [];
  /** The client asked for agent forwarding: the target may open channels. */
  #mayOpenAgent = false;

  constructor(side: Side, transport: MemoryTransport, nextId: () => number) {
    this.#side = side;
    this.#transport = transport;
    this.#nextId = nextId;
    transport.onMessage = (plain, length) => {
      try {
        this.#receive(Buffer.from(plain.subarray(1, 1 + length)));
      } catch (error) {
        this.faults.push(error);
      }
    };
  }

  act(step: Step): void {
    const open = [...this.channels.values()].filter(
      (channel) => channel.peer !== undefined && !channel.sentClose,
    );
    const channel = open[step.pick % Math.max(open.length, 1)];
    const actions: (() => void)[] = [
      () => this.#open(step),
      () => this.#answerOpen(step.pick),
      () => this.#askGlobally(step),
      () => this.#replyGlobally(),
    ];
    if (channel !== undefined)
      actions.push(
        () => this.#data(channel, step, false),
        () => this.#data(channel, step, true),
        () => this.#data(channel, step, false),
        () => this.#adjust(channel, step.size),
        () => this.#ask(channel, step),
        () => this.#reply(channel),
        () => this.#eof(channel),
        () => step.pick % 3 === 0 && this.#close(channel),
      );
    actions[step.action % actions.length]?.();
  }

  /** Answers everything that waits for an answer. Returns whether there was anything. */
  settle(): boolean {
    let busy = this.#opens.length > 0 || this.owedGlobally.length > 0;
    while (this.#opens.length > 0) this.#answerOpen(1);
    while (this.owedGlobally.length > 0) this.#replyGlobally();
    for (const channel of this.channels.values()) {
      while (!channel.sentClose && channel.owed.length > 0) {
        this.#reply(channel);
        busy = true;
      }
      if (channel.gotClose && !channel.sentClose) {
        this.#close(channel);
        busy = true;
      }
    }
    return busy;
  }

  #open({ fate, size }: Step): void {
    if (this.channels.size >= 12 || (this.#side === 'target' && !this.#mayOpenAgent)) return;
    const channel = newChannel(this.#unusedNumber(), 50 + size * 40, 20 + size);
    this.channels.set(channel.own, channel);
    const [type, detail] = this.#kindOfOpen(fate, size);
    this.#send(
      encodeChannelOpen({
        type,
        senderChannel: channel.own,
        initialWindow: channel.receiveWindow,
        maximumPacket: channel.receivePacket,
        detail,
      }),
    );
  }

  #kindOfOpen(fate: Fate, size: number): [string, ChannelOpenDetail] {
    if (this.#side === 'target') return ['auth-agent@openssh.com', { kind: 'auth-agent' }];
    if (size % 3 !== 0) return ['session', { kind: 'session' }];
    return [typeOf(fate, this.#nextId()), { kind: 'unknown', data: Buffer.alloc(0) }];
  }

  /** The lowest one, so that numbers are used again as soon as they may be. */
  #unusedNumber(): number {
    let number = this.#side === 'client' ? 0 : 3;
    while (this.channels.has(number)) number += 1;
    return number;
  }

  #answerOpen(pick: number): void {
    const open = this.#opens.shift();
    if (open === undefined) return;
    if (pick % 5 === 0) {
      this.#send(encodeOpenFailure(open.number, 2, 'not today'));
      return;
    }
    const own = this.#unusedNumber();
    const channel = newChannel(own, 500 + pick * 13, 64 + pick);
    channel.peer = open.number;
    channel.sendWindow = open.window;
    channel.sendPacket = open.packet;
    this.channels.set(own, channel);
    this.opened.byPeer.push(channel);
    this.#send(
      encodeOpenConfirmation({
        recipientChannel: open.number,
        senderChannel: own,
        initialWindow: channel.receiveWindow,
        maximumPacket: channel.receivePacket,
      }),
    );
  }

  /** On channels that are no sessions the relay drops these: they want no reply. */
  #startShell(channel: ModelChannel): void {
    const ask = (type: string, detail: EncodableChannelRequest['detail']) =>
      this.#send(encodeChannelRequest(peerOf(channel), { type, wantReply: false, detail }));
    ask('auth-agent-req@openssh.com', { kind: 'auth-agent-req' });
    ask('pty-req', { kind: 'pty-req', term: 'xterm', columns: 80, rows: 24 });
    ask('shell', { kind: 'shell' });
  }

  #data(channel: ModelChannel, { size }: Step, extended: boolean): void {
    const length = Math.min(size, channel.sendWindow, channel.sendPacket);
    if (channel.sentEof) return;
    const data = Buffer.alloc(length, 1 + (channel.sent.length % 9));
    channel.sendWindow -= length;
    channel.sent.push(data);
    this.#send(
      extended
        ? encodeExtendedData(peerOf(channel), 1 + (size % 2), data)
        : encodeData(peerOf(channel), data),
    );
  }

  #adjust(channel: ModelChannel, bytes: number): void {
    channel.receiveWindow += bytes;
    this.#send(encodeWindowAdjust(peerOf(channel), bytes));
  }

  #ask(channel: ModelChannel, { fate, size }: Step): void {
    const wantReply = size % 4 !== 0 && channel.asked.length < 20;
    const id = this.#nextId();
    if (wantReply) channel.asked.push(fate.verdict === 'pass' && grants(id) ? id : -id);
    this.#send(
      encodeChannelRequest(peerOf(channel), {
        type: typeOf(fate, id),
        wantReply,
        detail: { kind: 'other', data: Buffer.from('x') },
      }),
    );
  }

  #reply(channel: ModelChannel): void {
    const id = channel.owed.shift();
    if (id === undefined) return;
    const encode = grants(id) ? encodeChannelSuccess : encodeChannelFailure;
    this.#send(encode(peerOf(channel)));
  }

  #askGlobally({ fate, size }: Step): void {
    const wantReply = size % 4 !== 0 && this.askedGlobally.length < 40;
    const id = this.#nextId();
    if (wantReply) this.askedGlobally.push(fate.verdict === 'pass' && grants(id) ? id : -id);
    this.#send(
      encodeGlobalRequest({
        type: typeOf(fate, id),
        wantReply,
        detail: { kind: 'other', data: Buffer.alloc(0) },
      }),
    );
  }

  #replyGlobally(): void {
    const id = this.owedGlobally.shift();
    if (id === undefined) return;
    this.#send(grants(id) ? encodeRequestSuccess(Buffer.from([id >> 8, id & 0xff])) : encodeRequestFailure());
  }

  #eof(channel: ModelChannel): void {
    if (channel.sentEof) return;
    channel.sentEof = true;
    this.#send(encodeEof(peerOf(channel)));
  }

  #close(channel: ModelChannel): void {
    channel.sentClose = true;
    this.#send(encodeClose(peerOf(channel)));
    this.#forgetClosed(channel);
  }

  #forgetClosed(channel: ModelChannel): void {
    if (!channel.sentClose || !channel.gotClose) return;
    this.channels.delete(channel.own);
  }

  #send(payload: Buffer): void {
    this.#transport.send(payload);
  }

  #receive(payload: Buffer): void {
    const from = this.#side === 'client' ? 'target' : 'client';
    switch (payload[0]) {
      case 80: {
        const { type, wantReply } = decodeGlobalRequest(payload, from);
        expect(fateOf(type).verdict).toBe('pass');
        if (wantReply) this.owedGlobally.push(fateOf(type).id);
        return;
      }
      case 81:
      case 82: {
        const asked = this.askedGlobally.shift() ?? 0;
        expect(asked > 0).toBe(payload[0] === 81);
        if (payload[0] === 81) expect(payload.readUInt16BE(1)).toBe(asked);
        return;
      }
      case 90:
        return this.#receiveOpen(payload, from);
      case 91: {
        const { recipientChannel, senderChannel, initialWindow, maximumPacket } =
          decodeOpenConfirmation(payload);
        const channel = this.#own(recipientChannel);
        expect(channel.peer).toBeUndefined();
        channel.peer = senderChannel;
        channel.sendWindow = initialWindow;
        channel.sendPacket = maximumPacket;
        this.opened.byUs.push(channel);
        if (this.#side === 'client') this.#startShell(channel);
        return;
      }
      case 92: {
        const { recipientChannel } = decodeOpenFailure(payload);
        expect(this.#own(recipientChannel).peer).toBeUndefined();
        this.channels.delete(recipientChannel);
        return;
      }
      default:
        return this.#receiveOnChannel(payload, from);
    }
  }

  #receiveOpen(payload: Buffer, from: Side): void {
    const open = decodeChannelOpen(payload, from);
    if (open.detail.kind === 'unknown') expect(fateOf(open.type).verdict).toBe('pass');
    this.#opens.push({ number: open.senderChannel, window: open.initialWindow, packet: open.maximumPacket });
  }

  #receiveOnChannel(payload: Buffer, from: Side): void {
    const channel = this.#own(payload.readUInt32BE(1));
    expect(channel.peer).toBeDefined();
    expect(channel.gotClose).toBe(false);
    switch (payload[0]) {
      case 93:
        channel.sendWindow += payload.readUInt32BE(5);
        expect(channel.sendWindow).toBeLessThanOrEqual(0xffff_ffff);
        return;
      case 94:
        return this.#receiveData(channel, payload.subarray(DATA_OFFSET));
      case 95:
        return this.#receiveData(channel, payload.subarray(EXTENDED_DATA_OFFSET));
      case 96:
        expect(channel.gotEof).toBe(false);
        channel.gotEof = true;
        return;
      case 97:
        channel.gotClose = true;
        this.#forgetClosed(channel);
        return;
      case 98: {
        const { request } = decodeChannelRequest(payload, from);
        if (request.detail.kind === 'auth-agent-req') this.#mayOpenAgent = true;
        if (request.detail.kind !== 'other') return;
        expect(fateOf(request.type).verdict).toBe('pass');
        if (request.wantReply) channel.owed.push(fateOf(request.type).id);
        return;
      }
      case 99:
      case 100: {
        const asked = channel.asked.shift() ?? 0;
        expect(asked > 0).toBe(payload[0] === 99);
        expect(asked).not.toBe(0);
        return;
      }
      default:
        throw new Error(`message ${payload[0]} came through`);
    }
  }

  #receiveData(channel: ModelChannel, data: Buffer): void {
    expect(channel.gotEof).toBe(false);
    expect(data.length).toBeLessThanOrEqual(channel.receiveWindow);
    expect(data.length).toBeLessThanOrEqual(channel.receivePacket);
    channel.receiveWindow -= data.length;
    // Data of a model end is made of the bytes 1 to 9.
    if (data[0] === 0x0d) this.notices += 1;
    else channel.got.push(data);
  }

  #own(number: number): ModelChannel {
    const channel = this.channels.get(number);
    if (channel === undefined)
      throw new Error(`a message for channel ${number}, which the ${this.#side} does not have`);
    return channel;
  }
}

function newChannel(own: number, window: number, packet: number): ModelChannel {
  return {
    own,
    peer: undefined,
    sendWindow: 0,
    receiveWindow: window,
    sendPacket: 0,
    receivePacket: packet,
    sentEof: false,
    sentClose: false,
    gotEof: false,
    gotClose: false,
    sent: [],
    got: [],
    asked: [],
    owed: [],
  };
}

function peerOf(channel: ModelChannel): number {
  if (channel.peer === undefined) throw new Error('the channel has no peer yet');
  return channel.peer;
}
