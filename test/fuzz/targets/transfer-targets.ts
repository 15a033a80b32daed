import {
  createScpChannel,
  createSftpChannel,
  type TransferChannel,
  transferCommandOf,
} from '../../../core/transfer/index.ts';
import { expectThat, type FuzzTarget } from '../fuzz-target.ts';

type Channel = Parameters<typeof createSftpChannel>[0];

/** What went to each side of a guarded channel. An input is pieces: whose (odd: the client's), how long, and the bytes. */
type Passed = { readonly toClient: Buffer; readonly toTarget: Buffer };

const hasher = { update: () => undefined, digest: async () => undefined, discard: () => undefined };

/** The readers of file transfers, with a rule in force against every name that ends with .pem. */
export const transferTargets: readonly FuzzTarget[] = [
  {
    name: 'sftp-channel',
    about: 'SFTP both ways, where policy speaks of files',
    starts: () => [
      script([true, sftpFrame(1, u32(3))], [false, sftpFrame(2, u32(3))], [true, openOf('/a.pem')]),
      script(
        [true, sftpFrame(1, u32(6))],
        [false, sftpFrame(2, u32(3))],
        [true, openOf('/a.txt')],
        [false, sftpFrame(102, u32(1), text('h'))],
      ),
    ],
    tokens: ['.pem', '\0', '/../', 'posix-rename@openssh.com', 'copy-data', '\0\0\0\x05', '\0\0\0\x09h'],
    run(input) {
      const { toTarget } = play(input, (options) => createSftpChannel(options));
      for (const frame of framesOf(toTarget))
        if (frame[0] === 3 && frame.length >= 9)
          expectThat(
            !frame
              .subarray(9, 9 + frame.readUInt32BE(5))
              .toString('latin1')
              .endsWith('.pem'),
            'a file that is refused was opened',
          );
    },
  },
  {
    name: 'scp-channel',
    about: "scp's own protocol both ways, where policy speaks of files",
    starts: () => [
      script([false, Buffer.of(0)], [true, Buffer.from('C0644 1 a.pem\n')]),
      script(
        [false, Buffer.of(0)],
        [true, Buffer.from('D0755 0 d\n')],
        [false, Buffer.of(0)],
        [true, Buffer.from('C0644 1 a\nx\0')],
      ),
    ],
    tokens: ['.pem\n', 'C0644 0 ', 'D0755 0 ', 'E\n', 'T1 0 1 0\n', '\x01', '\x02', '\0'],
    run(input) {
      const command = transferCommandOf('scp -r -t /srv');
      if (command === undefined) throw new Error('scp is a transfer');
      // All answers are yes, so that what follows a record is its content.
      const { toTarget } = play(
        input,
        (options) => createScpChannel(options, command),
        () => 0,
      );
      expectThat(readsAsAllowed(toTarget), 'a file that is refused was sent');
    },
  },
];

function play(
  input: Buffer,
  create: (options: Channel) => TransferChannel,
  answer = (byte: number) => byte,
): Passed {
  const toClient: Buffer[] = [];
  const toTarget: Buffer[] = [];
  const channel = create({
    now: () => 0,
    startHasher: () => hasher,
    report: () => undefined,
    guard: {
      readsFiles: () => true,
      denialOf: (_, path) => (path.endsWith('.pem') ? { reason: 'test', message: 'no' } : undefined),
    },
  });
  for (let at = 0; at + 2 <= input.length; ) {
    const fromClient = ((input[at] ?? 0) & 1) === 1;
    const end = at + 2 + (input[at + 1] ?? 0);
    const data = Buffer.from(input.subarray(at + 2, end));
    at = end;
    const verdict = fromClient ? channel.fromClient(data) : channel.fromTarget(Buffer.from(data.map(answer)));
    if (verdict.kind === 'refuse') break;
    const [onward, back] = fromClient ? [toTarget, toClient] : [toClient, toTarget];
    if (verdict.kind === 'pass') onward.push(data);
    else {
      onward.push(...verdict.onward.map((piece) => Buffer.from(piece)));
      back.push(...verdict.back);
    }
  }
  channel.end();
  return { toClient: Buffer.concat(toClient), toTarget: Buffer.concat(toTarget) };
}

function* framesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) return;
    yield bytes.subarray(at + 4, end);
    at = end;
  }
}

/** As a server of scp would read it: records, and the content of files. */
function readsAsAllowed(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) return true;
    const line = bytes.toString('latin1', at, end);
    if (line.startsWith('C') && line.endsWith('.pem')) return false;
    at = end + 1;
    const size = /^C[0-7]+ (\d+) /.exec(line)?.[1];
    if (size === undefined) continue;
    at += Number(size);
    // A text in place of the zero byte says why the content is not whole.
    at = bytes[at] === 0 || bytes.indexOf(0x0a, at) < 0 ? at + 1 : bytes.indexOf(0x0a, at) + 1;
  }
  return true;
}

function script(...pieces: readonly (readonly [fromClient: boolean, bytes: Buffer])[]): Buffer {
  return Buffer.concat(
    pieces.map(([fromClient, bytes]) => Buffer.concat([Buffer.of(fromClient ? 1 : 0, bytes.length), bytes])),
  );
}

function openOf(path: string): Buffer {
  return sftpFrame(3, u32(1), text(path), u32(1), u32(0));
}

function sftpFrame(type: number, ...fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.of(type), ...fields]);
  return Buffer.concat([u32(body.length), body]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([u32(value.length), Buffer.from(value)]);
}
