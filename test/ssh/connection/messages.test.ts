import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ChannelOpenDetail,
  ConnectionError,
  DATA_OFFSET,
  dataLengthOf,
  decodeBoundPort,
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
  extendedDataLengthOf,
  extendedDataTypeOf,
  type GlobalRequestDetail,
  recipientChannelOf,
  soleRecipientChannelOf,
  windowAdjustOf,
} from '../../../ssh/connection/index.ts';
import { WireWriter } from '../../../ssh/wire/index.ts';

const uint32 = fc.nat(0xffff_ffff);
const port = fc.nat(65_535);
const name = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !/\p{Cc}/u.test(text));
const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));

const opens: fc.Arbitrary<{ type: string; detail: ChannelOpenDetail }> = fc.oneof(
  fc.constant({ type: 'session', detail: { kind: 'session' as const } }),
  fc.constant({ type: 'auth-agent@openssh.com', detail: { kind: 'auth-agent' as const } }),
  fc.constant({ type: 'agent-connect', detail: { kind: 'auth-agent' as const } }),
  fc
    .record({
      kind: fc.constantFrom('direct-tcpip' as const, 'forwarded-tcpip' as const),
      host: name,
      port,
      originHost: name,
      originPort: uint32,
    })
    .map((detail) => ({ type: detail.kind, detail })),
  name.map((path) => ({
    type: 'direct-streamlocal@openssh.com',
    detail: { kind: 'direct-streamlocal' as const, path },
  })),
  name.map((path) => ({
    type: 'forwarded-streamlocal@openssh.com',
    detail: { kind: 'forwarded-streamlocal' as const, path },
  })),
  fc
    .record({ originHost: name, originPort: uint32 })
    .map((origin) => ({ type: 'x11', detail: { kind: 'x11' as const, ...origin } })),
  bytes.map((data) => ({ type: 'tun@openssh.com', detail: { kind: 'unknown' as const, data } })),
);

const requests: fc.Arbitrary<EncodableChannelRequest> = fc
  .record({
    wantReply: fc.boolean(),
    body: fc.oneof(
      fc.record({ kind: fc.constant('pty-req' as const), term: name, columns: uint32, rows: uint32 }),
      fc.record({ kind: fc.constant('window-change' as const), columns: uint32, rows: uint32 }),
      fc.record({ kind: fc.constant('env' as const), name, value: bytes }),
      fc.record({ kind: fc.constant('shell' as const) }),
      fc.record({ kind: fc.constant('exec' as const), command: bytes }),
      fc.record({ kind: fc.constant('subsystem' as const), name }),
      fc.record({ kind: fc.constant('signal' as const), signal: name }),
      fc.record({ kind: fc.constant('exit-status' as const), status: uint32 }),
      fc.record({
        kind: fc.constant('exit-signal' as const),
        signal: name,
        coreDumped: fc.boolean(),
        message: name,
      }),
      fc.record({ kind: fc.constant('auth-agent-req' as const) }),
      fc.record({ kind: fc.constant('other' as const), data: bytes }),
    ),
  })
  .map(({ wantReply, body }) => ({ type: requestType(body.kind), wantReply, detail: body }));

const globals: fc.Arbitrary<{ type: string; detail: GlobalRequestDetail }> = fc.oneof(
  fc
    .record({ kind: fc.constantFrom('tcpip-forward', 'cancel-tcpip-forward'), host: name, port })
    .map((detail) => ({ type: detail.kind, detail })),
  fc
    .record({ kind: fc.constantFrom('streamlocal-forward', 'cancel-streamlocal-forward'), path: name })
    .map((detail) => ({ type: `${detail.kind}@openssh.com`, detail })),
  fc.constant({ type: 'no-more-sessions@openssh.com', detail: { kind: 'no-more-sessions' as const } }),
  fc.constant({ type: 'keepalive@openssh.com', detail: { kind: 'keepalive' as const } }),
  bytes.map((data) => ({ type: 'other@example.com', detail: { kind: 'other' as const, data } })),
);

describe('messages of the connection protocol', () => {
  it('come back from a CHANNEL_OPEN as they were encoded', () => {
    fc.assert(
      fc.property(opens, uint32, uint32, uint32, (open, senderChannel, initialWindow, maximumPacket) => {
        const message = { ...open, senderChannel, initialWindow, maximumPacket };

        const decoded = decodeChannelOpen(encodeChannelOpen(message), 'client');

        expect(decoded).toEqual({ from: 'client', ...message });
      }),
    );
  });

  it('come back from a CHANNEL_REQUEST as they were encoded', () => {
    fc.assert(
      fc.property(requests, uint32, (request, recipientChannel) => {
        const decoded = decodeChannelRequest(encodeChannelRequest(recipientChannel, request), 'target');

        expect(decoded).toEqual({ recipientChannel, request: { from: 'target', ...request } });
      }),
    );
  });

  it('come back from a GLOBAL_REQUEST as they were encoded', () => {
    fc.assert(
      fc.property(globals, fc.boolean(), (global, wantReply) => {
        const decoded = decodeGlobalRequest(encodeGlobalRequest({ ...global, wantReply }), 'client');

        expect(decoded).toEqual({ from: 'client', wantReply, ...global });
      }),
    );
  });

  it('come back from the answers to an open as they were encoded', () => {
    fc.assert(
      fc.property(uint32, uint32, uint32, uint32, name, (a, b, c, d, message) => {
        const confirmation = { recipientChannel: a, senderChannel: b, initialWindow: c, maximumPacket: d };

        expect(decodeOpenConfirmation(encodeOpenConfirmation(confirmation))).toEqual(confirmation);
        expect(decodeOpenFailure(encodeOpenFailure(a, b, message))).toEqual({
          recipientChannel: a,
          reason: b,
          message,
        });
      }),
    );
  });

  it('are read from data packets in place, wherever the payload begins', () => {
    fc.assert(
      fc.property(uint32, uint32, bytes, fc.nat(5), (channel, value, data, start) => {
        const at = (payload: Buffer) => Buffer.concat([Buffer.alloc(start), payload, Buffer.alloc(7)]);
        const plain = encodeData(channel, data);
        const extended = encodeExtendedData(channel, value, data);
        const adjust = encodeWindowAdjust(channel, value);

        expect(recipientChannelOf(at(plain), start, plain.length)).toBe(channel);
        expect(dataLengthOf(at(plain), start, plain.length)).toBe(data.length);
        expect(plain.subarray(DATA_OFFSET)).toEqual(data);
        expect(extendedDataLengthOf(at(extended), start, extended.length)).toBe(data.length);
        expect(extendedDataTypeOf(at(extended), start)).toBe(value);
        expect(extended.subarray(EXTENDED_DATA_OFFSET)).toEqual(data);
        expect(windowAdjustOf(at(adjust), start, adjust.length)).toBe(value);
      }),
    );
  });

  it('have the numbers and layout of RFC 4254', () => {
    expect(encodeEof(1).toString('hex')).toBe('6000000001');
    expect(encodeClose(2).toString('hex')).toBe('6100000002');
    expect(encodeChannelSuccess(3).toString('hex')).toBe('6300000003');
    expect(encodeChannelFailure(4).toString('hex')).toBe('6400000004');
    expect(encodeWindowAdjust(5, 6).toString('hex')).toBe('5d0000000500000006');
    expect(encodeData(7, Buffer.from('hi')).toString('hex')).toBe('5e00000007000000026869');
    expect(encodeExtendedData(8, 1, Buffer.from('x')).toString('hex')).toBe('5f00000008000000010000000178');
    expect(encodeRequestFailure().toString('hex')).toBe('52');
    expect(encodeRequestSuccess().toString('hex')).toBe('51');
    expect(decodeBoundPort(encodeRequestSuccess(Buffer.from('00001f90', 'hex')))).toBe(8080);
    expect(soleRecipientChannelOf(encodeClose(2), 0, 5)).toBe(2);
  });

  it('know an x11-req and keep its cookie out of what is decoded', () => {
    const data = new WireWriter()
      .boolean(true)
      .string('MIT-MAGIC-COOKIE-1')
      .string('00ff')
      .uint32(0)
      .finish();
    const payload = encodeChannelRequest(0, {
      type: 'x11-req',
      wantReply: true,
      detail: { kind: 'other', data },
    });

    const { request } = decodeChannelRequest(payload, 'client');

    expect(request.detail).toEqual({ kind: 'x11-req' });
  });

  it('have their free text made printable and cut, never refused', () => {
    const hostile = new WireWriter()
      .byte(92)
      .uint32(1)
      .uint32(2)
      .string(Buffer.from('\x1b[2J\r\nok\xff', 'latin1'));

    const { message } = decodeOpenFailure(hostile.string('').finish());
    const long = decodeOpenFailure(encodeOpenFailure(1, 2, 'x'.repeat(5000)));

    expect(message).toBe('\ufffd[2J\ufffd\ufffdok\ufffd');
    expect(long.message).toHaveLength(1024);
  });

  it('leave out the text of an OPEN_FAILURE where an old server does', () => {
    const decoded = decodeOpenFailure(new WireWriter().byte(92).uint32(1).uint32(2).finish());

    expect(decoded.message).toBe('');
  });
});

describe('hostile messages', () => {
  const refused: Record<string, readonly [() => unknown, 'malformed' | 'too-long']> = {
    'fail/open type with a line end': [() => decodeChannelOpen(open('session\n'), 'client'), 'malformed'],
    'fail/open type that is not UTF-8': [
      () => decodeChannelOpen(open(Buffer.of(0xff)), 'client'),
      'malformed',
    ],
    'fail/open type longer than any': [() => decodeChannelOpen(open('x'.repeat(257)), 'client'), 'too-long'],
    'fail/open that ends early': [
      () => decodeChannelOpen(open('session').subarray(0, -1), 'client'),
      'malformed',
    ],
    'fail/session with bytes behind it': [
      () => decodeChannelOpen(open('session', 'x'), 'client'),
      'malformed',
    ],
    'fail/host with an escape': [
      () => decodeChannelOpen(open('direct-tcpip', '\x1b]0;x', 1, '', 1), 'client'),
      'malformed',
    ],
    'fail/host with a C1 control': [
      () => decodeChannelOpen(open('direct-tcpip', '\u009b', 1, '', 1), 'client'),
      'malformed',
    ],
    'fail/host longer than NI_MAXHOST': [
      () => decodeChannelOpen(open('direct-tcpip', 'h'.repeat(1026), 1, '', 1), 'client'),
      'too-long',
    ],
    'fail/port over 65535': [
      () => decodeChannelOpen(open('direct-tcpip', 'h', 65_536, '', 1), 'client'),
      'malformed',
    ],
    'fail/path with a NUL': [
      () => decodeChannelOpen(open('direct-streamlocal@openssh.com', '/a\0b', '', 0), 'client'),
      'malformed',
    ],
    'fail/path longer than PATH_MAX': [
      () => decodeGlobalRequest(global('streamlocal-forward@openssh.com', 'p'.repeat(4097)), 'client'),
      'too-long',
    ],
    'fail/terminal with an escape': [
      () => decodeChannelRequest(request('pty-req', 'xterm\x1b', 1, 1, 1, 1, ''), 'client'),
      'malformed',
    ],
    'fail/variable name with a line end': [
      () => decodeChannelRequest(request('env', 'LANG\nX', 'C'), 'client'),
      'malformed',
    ],
    'fail/signal with a line end': [
      () => decodeChannelRequest(request('signal', 'TERM\r'), 'client'),
      'malformed',
    ],
    'fail/subsystem with a control': [
      () => decodeChannelRequest(request('subsystem', 'sftp\x7f'), 'client'),
      'malformed',
    ],
    'fail/exec with bytes behind it': [
      () => decodeChannelRequest(request('exec', 'true', 'x'), 'client'),
      'malformed',
    ],
    'fail/exec that claims more than there is': [
      () => decodeChannelRequest(request('exec', 0xffff_ffff), 'client'),
      'malformed',
    ],
    'fail/forward of port 65536': [
      () => decodeGlobalRequest(global('tcpip-forward', '', 65_536), 'client'),
      'malformed',
    ],
    'fail/data shorter than it says': [
      () => dataLengthOf(encodeData(0, Buffer.alloc(9)), 0, 17),
      'malformed',
    ],
    'fail/data beyond the message': [() => dataLengthOf(encodeData(0, Buffer.alloc(9)), 0, 19), 'malformed'],
    'fail/extended data without a length': [() => extendedDataLengthOf(Buffer.alloc(32), 0, 12), 'malformed'],
    'fail/adjust of 8 bytes': [() => windowAdjustOf(Buffer.alloc(9), 0, 8), 'malformed'],
    'fail/channel message of 4 bytes': [() => recipientChannelOf(Buffer.alloc(9), 0, 4), 'malformed'],
    'fail/close with a tail': [() => soleRecipientChannelOf(Buffer.alloc(9), 0, 6), 'malformed'],
    'fail/bound port missing': [() => decodeBoundPort(encodeRequestSuccess()), 'malformed'],
  };

  it.each(Object.entries(refused))('%s', (_, [act, code]) => {
    expect(act).toThrow(expect.objectContaining({ name: 'ConnectionError', code }));
  });

  it('never get anything but a ConnectionError out of a decoder', () => {
    const decoders = [
      (payload: Buffer) => decodeChannelOpen(payload, 'client'),
      (payload: Buffer) => decodeChannelRequest(payload, 'target'),
      (payload: Buffer) => decodeGlobalRequest(payload, 'client'),
      decodeOpenConfirmation,
      decodeOpenFailure,
      decodeBoundPort,
      (payload: Buffer) => dataLengthOf(payload, 0, payload.length),
      (payload: Buffer) => extendedDataLengthOf(payload, 0, payload.length),
      (payload: Buffer) => windowAdjustOf(payload, 0, payload.length),
      (payload: Buffer) => recipientChannelOf(payload, 0, payload.length),
      (payload: Buffer) => soleRecipientChannelOf(payload, 0, payload.length),
    ];
    const knownType = fc.constantFrom(
      'session',
      'direct-tcpip',
      'x11',
      'pty-req',
      'env',
      'exit-signal',
      'tcpip-forward',
    );
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
      fc
        .tuple(knownType, bytes, fc.constantFrom(open, request, global))
        .map(([type, rest, make]) => Buffer.concat([make(type), rest])),
    );

    fc.assert(
      fc.property(message, fc.constantFrom(...decoders), (payload, decode) => {
        expect(thrownBy(() => decode(payload)) ?? new ConnectionError('malformed', '')).toBeInstanceOf(
          ConnectionError,
        );
      }),
      { numRuns: 2000 },
    );
  });
});

function open(type: string | Buffer, ...fields: readonly Field[]): Buffer {
  return writeFields(new WireWriter().byte(90).string(type).uint32(0).uint32(1).uint32(2), fields);
}

function request(type: string | Buffer, ...fields: readonly Field[]): Buffer {
  return writeFields(new WireWriter().byte(98).uint32(0).string(type).boolean(true), fields);
}

function global(type: string | Buffer, ...fields: readonly Field[]): Buffer {
  return writeFields(new WireWriter().byte(80).string(type).boolean(true), fields);
}

type Field = string | Buffer | number;

function writeFields(writer: WireWriter, fields: readonly Field[]): Buffer {
  for (const field of fields) {
    if (typeof field === 'number') writer.uint32(field);
    else writer.string(field);
  }
  return writer.finish();
}

function thrownBy(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

function requestType(kind: EncodableChannelRequest['detail']['kind']): string {
  if (kind === 'auth-agent-req') return 'auth-agent-req@openssh.com';
  return kind === 'other' ? 'other@example.com' : kind;
}
