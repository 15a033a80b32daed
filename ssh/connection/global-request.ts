import { MessageNumber, type WireReader, WireWriter } from '../wire/index.ts';
import type { GlobalRequest, GlobalRequestDetail, Side } from './contract.ts';
import { decodeMessage, FieldLimit, nameField, portField } from './field.ts';

/** @throws ConnectionError */
export function decodeGlobalRequest(payload: Buffer, from: Side): GlobalRequest {
  return decodeMessage(payload, 'GLOBAL_REQUEST', (reader) => {
    const type = nameField(reader, 'request type');
    const wantReply = reader.boolean();
    return { from, type, wantReply, detail: decodeDetail(type, reader) };
  });
}

export function encodeGlobalRequest(request: Omit<GlobalRequest, 'from'>): Buffer {
  const writer = new WireWriter()
    .byte(MessageNumber.globalRequest)
    .string(request.type)
    .boolean(request.wantReply);
  encodeDetail(writer, request.detail);
  return writer.finish();
}

/** RFC 4254 §4; `data` is there for some requests, such as the port bound for a tcpip-forward of port 0 (§7.1). */
export function encodeRequestSuccess(data: Uint8Array = nothing): Buffer {
  return new WireWriter(1 + data.length).byte(MessageNumber.requestSuccess).raw(data).finish();
}

export function encodeRequestFailure(): Buffer {
  return Buffer.of(MessageNumber.requestFailure);
}

/**
 * The port in the REQUEST_SUCCESS that answers a tcpip-forward of port 0 (RFC 4254 §7.1).
 *
 * @throws ConnectionError
 */
export function decodeBoundPort(payload: Buffer): number {
  return decodeMessage(payload, 'REQUEST_SUCCESS', portField);
}

function decodeDetail(type: string, reader: WireReader): GlobalRequestDetail {
  switch (type) {
    case 'tcpip-forward':
    case 'cancel-tcpip-forward': {
      const host = nameField(reader, 'host', FieldLimit.host);
      const port = portField(reader);
      reader.end();
      return { kind: type, host, port };
    }
    case 'streamlocal-forward@openssh.com':
    case 'cancel-streamlocal-forward@openssh.com': {
      const path = nameField(reader, 'socket path', FieldLimit.path);
      reader.end();
      const cancels = type.startsWith('cancel-');
      return { kind: cancels ? 'cancel-streamlocal-forward' : 'streamlocal-forward', path };
    }
    case 'no-more-sessions@openssh.com':
      return { kind: 'no-more-sessions' };
    case 'keepalive@openssh.com':
      return { kind: 'keepalive' };
    default:
      return { kind: 'other', data: reader.rest() };
  }
}

function encodeDetail(writer: WireWriter, detail: GlobalRequestDetail): void {
  switch (detail.kind) {
    case 'tcpip-forward':
    case 'cancel-tcpip-forward':
      writer.string(detail.host).uint32(detail.port);
      return;
    case 'streamlocal-forward':
    case 'cancel-streamlocal-forward':
      writer.string(detail.path);
      return;
    case 'other':
      writer.raw(detail.data);
      return;
    case 'no-more-sessions':
    case 'keepalive':
      return;
  }
}

const nothing = new Uint8Array(0);
