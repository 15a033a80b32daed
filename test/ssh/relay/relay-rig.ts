import { onTestFinished } from 'vitest';
import {
  type ChannelOpen,
  type ChannelOpenDetail,
  decodeOpenConfirmation,
  type EncodableChannelRequest,
  encodeChannelOpen,
  encodeChannelRequest,
  encodeChannelSuccess,
  encodeGlobalRequest,
  encodeOpenConfirmation,
  type GlobalRequestDetail,
  type Side,
} from '../../../ssh/connection/index.ts';
import type { RelayOptions } from '../../../ssh/relay/contract.ts';
import {
  createRelay,
  type Relay,
  type RelayGates,
  type RelayLimits,
  type RelayTaps,
} from '../../../ssh/relay/index.ts';
import {
  type MemoryTransport,
  type MemoryTransports,
  memoryTransports,
} from '../../support/memory-transport.ts';

/** A peer of the relay that sends and receives raw messages. */
class Peer {
  readonly transport: MemoryTransport;
  readonly received: Buffer[] = [];
  #read = 0;

  constructor(transport: MemoryTransport) {
    this.transport = transport;
    transport.onMessage = (plain, length) => this.received.push(Buffer.from(plain.subarray(1, 1 + length)));
  }

  send(...payloads: readonly Buffer[]): void {
    for (const payload of payloads) this.transport.send(payload);
  }

  /** What came since the last call, once everything on its way has arrived. */
  async take(): Promise<Buffer[]> {
    await quiet();
    const fresh = this.received.slice(this.#read);
    this.#read = this.received.length;
    return fresh;
  }

  /** `take`, where exactly one message is expected. */
  async takeOne(): Promise<Buffer> {
    const [message, ...more] = await this.take();
    if (message === undefined || more.length > 0)
      throw new Error(`expected one message, got ${message === undefined ? 0 : more.length + 1}`);
    return message;
  }
}

export type Rig = {
  readonly relay: Relay;
  /** The engineer's ssh client. */
  readonly client: Peer;
  /** The server behind the gateway. */
  readonly target: Peer;
  readonly clientLeg: MemoryTransport;
  readonly targetLeg: MemoryTransport;
  /** What the taps and gates were told, one line each. */
  readonly log: string[];
};

export type RigOptions = {
  readonly gates?: Partial<RelayGates>;
  readonly taps?: RelayTaps;
  readonly limits?: Partial<RelayLimits>;
  readonly keepalive?: RelayOptions['keepalive'];
  readonly hostKeys?: RelayOptions['hostKeys'];
  readonly backlogHighBytes?: number;
  /** The engineer's connection, where it is not a fresh one. */
  readonly engineer?: MemoryTransports;
  /** Done with the connection to the target before there is a relay. */
  readonly before?: (server: MemoryTransports) => void;
};

/** A relay between two raw peers; gates let everything pass where the test says nothing else. */
export function relayRig(options: RigOptions = {}): Rig {
  const backlog =
    options.backlogHighBytes === undefined ? {} : { backlogHighBytes: options.backlogHighBytes };
  const engineer = options.engineer ?? memoryTransports(backlog);
  const server = memoryTransports(backlog);
  options.before?.(server);
  const log: string[] = [];
  const client = new Peer(engineer.client);
  const target = new Peer(server.server);
  const relay = createRelay({
    client: engineer.server,
    target: server.client,
    gates: {
      channelOpen: () => ({ kind: 'pass' }),
      channelRequest: () => ({ kind: 'pass' }),
      globalRequest: () => ({ kind: 'pass' }),
      ...options.gates,
    },
    taps: options.taps ?? logTaps(log),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.keepalive === undefined ? {} : { keepalive: options.keepalive }),
    ...(options.hostKeys === undefined ? {} : { hostKeys: options.hostKeys }),
  });
  onTestFinished(() => relay.cut(11, 'the test is over'));
  return { relay, client, target, clientLeg: engineer.server, targetLeg: server.client, log };
}

/** Turns of the event loop after which a message has passed both legs and its answer too. */
export async function quiet(turns = 12): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export const CLIENT_NUMBER = 10;
export const TARGET_NUMBER = 77;
export const WINDOW = 100_000;
export const PACKET = 32_768;

export type ChannelSetup = {
  readonly detail?: ChannelOpenDetail;
  readonly client?: number;
  readonly target?: number;
  readonly clientWindow?: number;
  readonly targetWindow?: number;
};

/** Opens a channel from the client and lets the target confirm it; both have received what they are to. */
export async function openChannel(rig: Rig, setup: ChannelSetup = {}): Promise<void> {
  const client = setup.client ?? CLIENT_NUMBER;
  rig.client.send(openMessage(setup.detail ?? { kind: 'session' }, client, setup.clientWindow));
  await rig.target.takeOne();
  rig.target.send(confirmMessage(client, setup.target ?? TARGET_NUMBER, setup.targetWindow));
  decodeOpenConfirmation(await rig.client.takeOne());
}

/** A session with a terminal and a shell on it. */
export async function openShell(rig: Rig, setup: ChannelSetup = {}): Promise<void> {
  await openChannel(rig, setup);
  const target = setup.target ?? TARGET_NUMBER;
  const client = setup.client ?? CLIENT_NUMBER;
  rig.client.send(
    requestMessage(target, { kind: 'pty-req', term: 'xterm', columns: 80, rows: 24 }, true),
    requestMessage(target, { kind: 'shell' }, true),
  );
  await rig.target.take();
  rig.target.send(encodeChannelSuccess(client), encodeChannelSuccess(client));
  await rig.client.take();
}

export function openMessage(
  detail: ChannelOpenDetail,
  number = CLIENT_NUMBER,
  window = WINDOW,
  packet = PACKET,
): Buffer {
  return encodeChannelOpen({
    type: openType(detail),
    senderChannel: number,
    initialWindow: window,
    maximumPacket: packet,
    detail,
  });
}

export function confirmMessage(
  recipient = CLIENT_NUMBER,
  sender = TARGET_NUMBER,
  window = WINDOW,
  packet = PACKET,
): Buffer {
  return encodeOpenConfirmation({
    recipientChannel: recipient,
    senderChannel: sender,
    initialWindow: window,
    maximumPacket: packet,
  });
}

export function requestMessage(
  recipient: number,
  detail: EncodableChannelRequest['detail'],
  wantReply: boolean,
): Buffer {
  const type = detail.kind === 'auth-agent-req' ? 'auth-agent-req@openssh.com' : detail.kind;
  return encodeChannelRequest(recipient, {
    type: type === 'other' ? 'other@example.com' : type,
    wantReply,
    detail,
  });
}

export function globalMessage(detail: GlobalRequestDetail, wantReply = true): Buffer {
  return encodeGlobalRequest({ type: globalType(detail), wantReply, detail });
}

export function otherGlobal(type: string, wantReply = true): Buffer {
  return encodeGlobalRequest({ type, wantReply, detail: { kind: 'other', data: Buffer.from('data') } });
}

function openType(detail: ChannelOpenDetail): string {
  switch (detail.kind) {
    case 'session':
    case 'direct-tcpip':
    case 'forwarded-tcpip':
    case 'x11':
      return detail.kind;
    case 'direct-streamlocal':
    case 'forwarded-streamlocal':
    case 'auth-agent':
      return `${detail.kind}@openssh.com`;
    case 'unknown':
      return 'unknown@example.com';
  }
}

function globalType(detail: GlobalRequestDetail): string {
  switch (detail.kind) {
    case 'tcpip-forward':
    case 'cancel-tcpip-forward':
      return detail.kind;
    case 'streamlocal-forward':
    case 'cancel-streamlocal-forward':
    case 'no-more-sessions':
    case 'keepalive':
      return `${detail.kind}@openssh.com`;
    case 'other':
      return 'other@example.com';
  }
}

function logTaps(log: string[]): RelayTaps {
  return {
    channelOpened: (channel) => log.push(`opened ${channel.serial} ${channel.open.type}`),
    channelRefused: (open: ChannelOpen, reason, message) =>
      log.push(`refused ${open.type} ${reason} ${message}`),
    channelRequestAnswered: (channel, of, answer) =>
      log.push(`${channel.serial} ${of.type} from ${of.from}: ${answer}`),
    globalRequestAnswered: (of, answer, port) =>
      log.push(`${of.type} from ${of.from}: ${answer}${port === undefined ? '' : ` ${port}`}`),
    channelData: (channel, from: Side, stream, data) =>
      log.push(`${channel.serial} ${from} ${stream} ${data.toString()}`),
    channelEof: (channel, from) => log.push(`${channel.serial} eof ${from}`),
    channelClosed: (channel) => log.push(`closed ${channel.serial}`),
  };
}
