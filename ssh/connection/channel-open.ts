import { MessageNumber, type WireReader, WireWriter } from '../wire/index.ts';
import type { ChannelOpen, ChannelOpenDetail, Side } from './contract.ts';
import { decodeMessage, descriptionField, FieldLimit, nameField, portField } from './field.ts';

/** RFC 4254 §5.1 SSH_MSG_CHANNEL_OPEN_CONFIRMATION. */
export type OpenConfirmation = {
  readonly recipientChannel: number;
  readonly senderChannel: number;
  readonly initialWindow: number;
  readonly maximumPacket: number;
};

/** RFC 4254 §5.1 SSH_MSG_CHANNEL_OPEN_FAILURE. `message` is safe to print. */
export type OpenFailure = {
  readonly recipientChannel: number;
  readonly reason: number;
  readonly message: string;
};

/** @throws ConnectionError */
export function decodeChannelOpen(payload: Buffer, from: Side): ChannelOpen {
  return decodeMessage(payload, 'CHANNEL_OPEN', (reader) => {
    const type = nameField(reader, 'channel type');
    const senderChannel = reader.uint32();
    const initialWindow = reader.uint32();
    const maximumPacket = reader.uint32();
    const detail = decodeDetail(type, reader);
    return { from, type, senderChannel, initialWindow, maximumPacket, detail };
  });
}

export function encodeChannelOpen(open: Omit<ChannelOpen, 'from'>): Buffer {
  const writer = new WireWriter()
    .byte(MessageNumber.channelOpen)
    .string(open.type)
    .uint32(open.senderChannel)
    .uint32(open.initialWindow)
    .uint32(open.maximumPacket);
  encodeDetail(writer, open.detail);
  return writer.finish();
}

/** @throws ConnectionError */
export function decodeOpenConfirmation(payload: Buffer): OpenConfirmation {
  return decodeMessage(payload, 'CHANNEL_OPEN_CONFIRMATION', (reader) => ({
    recipientChannel: reader.uint32(),
    senderChannel: reader.uint32(),
    initialWindow: reader.uint32(),
    maximumPacket: reader.uint32(),
  }));
}

export function encodeOpenConfirmation(confirmation: OpenConfirmation): Buffer {
  return new WireWriter(17)
    .byte(MessageNumber.channelOpenConfirmation)
    .uint32(confirmation.recipientChannel)
    .uint32(confirmation.senderChannel)
    .uint32(confirmation.initialWindow)
    .uint32(confirmation.maximumPacket)
    .finish();
}

/** @throws ConnectionError */
export function decodeOpenFailure(payload: Buffer): OpenFailure {
  return decodeMessage(payload, 'CHANNEL_OPEN_FAILURE', (reader) => {
    const recipientChannel = reader.uint32();
    const reason = reader.uint32();
    // Some old servers leave out the text and the language tag.
    const message = reader.remaining === 0 ? '' : descriptionField(reader);
    return { recipientChannel, reason, message };
  });
}

export function encodeOpenFailure(recipientChannel: number, reason: number, message: string): Buffer {
  return new WireWriter()
    .byte(MessageNumber.channelOpenFailure)
    .uint32(recipientChannel)
    .uint32(reason)
    .string(message)
    .string('')
    .finish();
}

function decodeDetail(type: string, reader: WireReader): ChannelOpenDetail {
  const detail = decodeKnownDetail(type, reader);
  if (detail === undefined) return { kind: 'unknown', data: reader.rest() };
  reader.end();
  return detail;
}

function decodeKnownDetail(type: string, reader: WireReader): ChannelOpenDetail | undefined {
  switch (type) {
    case 'session':
      return { kind: 'session' };
    case 'direct-tcpip':
    case 'forwarded-tcpip':
      return {
        kind: type,
        host: nameField(reader, 'host', FieldLimit.host),
        port: portField(reader),
        originHost: nameField(reader, 'originator address', FieldLimit.host),
        originPort: reader.uint32(),
      };
    case 'direct-streamlocal@openssh.com': {
      const path = nameField(reader, 'socket path', FieldLimit.path);
      reader.string();
      reader.uint32();
      return { kind: 'direct-streamlocal', path };
    }
    case 'forwarded-streamlocal@openssh.com': {
      const path = nameField(reader, 'socket path', FieldLimit.path);
      reader.string();
      return { kind: 'forwarded-streamlocal', path };
    }
    // The second name is draft-ietf-sshm-ssh-agent's.
    case 'auth-agent@openssh.com':
    case 'agent-connect':
      return { kind: 'auth-agent' };
    case 'x11':
      return {
        kind: 'x11',
        originHost: nameField(reader, 'originator address', FieldLimit.host),
        originPort: reader.uint32(),
      };
    default:
      return undefined;
  }
}

function encodeDetail(writer: WireWriter, detail: ChannelOpenDetail): void {
  switch (detail.kind) {
    case 'direct-tcpip':
    case 'forwarded-tcpip':
      writer.string(detail.host).uint32(detail.port).string(detail.originHost).uint32(detail.originPort);
      return;
    case 'direct-streamlocal':
      writer.string(detail.path).string('').uint32(0);
      return;
    case 'forwarded-streamlocal':
      writer.string(detail.path).string('');
      return;
    case 'x11':
      writer.string(detail.originHost).uint32(detail.originPort);
      return;
    case 'unknown':
      writer.raw(detail.data);
      return;
    case 'session':
    case 'auth-agent':
      return;
  }
}
