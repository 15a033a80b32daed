import { MessageNumber, type WireReader, WireWriter } from '../wire/index.ts';
import type { ChannelRequest, ChannelRequestDetail, Side } from './contract.ts';
import { decodeMessage, descriptionField, nameField } from './field.ts';

/** What can be encoded: `x11-req` is decoded without its cookie, so it is sent as `other` with the whole data. */
export type EncodableChannelRequest = {
  readonly type: string;
  readonly wantReply: boolean;
  readonly detail: Exclude<ChannelRequestDetail, { kind: 'x11-req' }>;
};

/**
 * RFC 4254 §5.4 and §6. `detail` keeps what decisions and evidence need; terminal modes, pixel sizes and X11
 * cookies are checked for shape and left in the message.
 *
 * @throws ConnectionError
 */
export function decodeChannelRequest(
  payload: Buffer,
  from: Side,
): { readonly recipientChannel: number; readonly request: ChannelRequest } {
  return decodeMessage(payload, 'CHANNEL_REQUEST', (reader) => {
    const recipientChannel = reader.uint32();
    const type = nameField(reader, 'request type');
    const wantReply = reader.boolean();
    const detail = decodeDetail(type, reader);
    return { recipientChannel, request: { from, type, wantReply, detail } };
  });
}

/** A `pty-req` or `window-change` is sent without pixel sizes and terminal modes. */
export function encodeChannelRequest(recipientChannel: number, request: EncodableChannelRequest): Buffer {
  const writer = new WireWriter()
    .byte(MessageNumber.channelRequest)
    .uint32(recipientChannel)
    .string(request.type)
    .boolean(request.wantReply);
  encodeDetail(writer, request.detail);
  return writer.finish();
}

function decodeDetail(type: string, reader: WireReader): ChannelRequestDetail {
  const detail = decodeKnownDetail(type, reader);
  if (detail === undefined) return { kind: 'other', data: reader.rest() };
  reader.end();
  return detail;
}

function decodeKnownDetail(type: string, reader: WireReader): ChannelRequestDetail | undefined {
  switch (type) {
    case 'pty-req': {
      const term = nameField(reader, 'terminal type');
      const size = decodeSize(reader);
      reader.string();
      return { kind: 'pty-req', term, ...size };
    }
    case 'window-change':
      return { kind: 'window-change', ...decodeSize(reader) };
    case 'env':
      return { kind: 'env', name: nameField(reader, 'variable name'), value: reader.string() };
    case 'shell':
      return { kind: 'shell' };
    case 'exec':
      return { kind: 'exec', command: reader.string() };
    case 'subsystem':
      return { kind: 'subsystem', name: nameField(reader, 'subsystem name') };
    case 'signal':
      return { kind: 'signal', signal: nameField(reader, 'signal name') };
    case 'exit-status':
      return { kind: 'exit-status', status: reader.uint32() };
    case 'exit-signal':
      return decodeExitSignal(reader);
    case 'x11-req':
      reader.boolean();
      reader.string();
      reader.string();
      reader.uint32();
      return { kind: 'x11-req' };
    // The second name is draft-ietf-sshm-ssh-agent's.
    case 'auth-agent-req@openssh.com':
    case 'agent-req':
      return { kind: 'auth-agent-req' };
    default:
      return undefined;
  }
}

function decodeSize(reader: WireReader): { readonly columns: number; readonly rows: number } {
  const columns = reader.uint32();
  const rows = reader.uint32();
  reader.uint32();
  reader.uint32();
  return { columns, rows };
}

function decodeExitSignal(reader: WireReader): ChannelRequestDetail {
  const signal = nameField(reader, 'signal name');
  const coreDumped = reader.boolean();
  const message = descriptionField(reader);
  reader.string();
  return { kind: 'exit-signal', signal, coreDumped, message };
}

function encodeDetail(writer: WireWriter, detail: EncodableChannelRequest['detail']): void {
  switch (detail.kind) {
    case 'pty-req':
      writer.string(detail.term).uint32(detail.columns).uint32(detail.rows).uint32(0).uint32(0);
      writer.string(noTerminalModes);
      return;
    case 'window-change':
      writer.uint32(detail.columns).uint32(detail.rows).uint32(0).uint32(0);
      return;
    case 'env':
      writer.string(detail.name).string(detail.value);
      return;
    case 'exec':
      writer.string(detail.command);
      return;
    case 'subsystem':
      writer.string(detail.name);
      return;
    case 'signal':
      writer.string(detail.signal);
      return;
    case 'exit-status':
      writer.uint32(detail.status);
      return;
    case 'exit-signal':
      writer.string(detail.signal).boolean(detail.coreDumped).string(detail.message).string('');
      return;
    case 'other':
      writer.raw(detail.data);
      return;
    case 'shell':
    case 'auth-agent-req':
      return;
  }
}

/** TTY_OP_END, RFC 4254 §8. */
const noTerminalModes = Buffer.of(0);
