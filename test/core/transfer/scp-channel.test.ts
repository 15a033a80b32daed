import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createScpChannel, type TransferGuard, transferCommandOf } from '#core/transfer';
import { bytewise, inPieces, refusing, sha256, TransferRig } from './sftp-rig.ts';

const ok = Buffer.of(0);
const noKeys = refusing(/\.pem$/);

function rigOf(command: string, guard?: TransferGuard): TransferRig {
  const parsed = transferCommandOf(command);
  if (parsed === undefined) throw new Error(`${command} is no transfer`);
  return new TransferRig(guard, (options) => createScpChannel(options, parsed));
}

function file(name: string, content: string): Buffer {
  return Buffer.from(`C0644 ${content.length} ${name}\n${content}\0`);
}

function short(content: string): string {
  return sha256(content).slice(0, 8);
}

/** Sends records one by one, each answered. */
function send(rig: TransferRig, direction: 'upload' | 'download', records: readonly Buffer[]): void {
  const source = (bytes: Buffer) => (direction === 'upload' ? rig.client(bytes) : rig.target(bytes));
  const sink = (bytes: Buffer) => (direction === 'upload' ? rig.target(bytes) : rig.client(bytes));
  sink(ok);
  for (const record of records) {
    const line = record.indexOf(0x0a) + 1;
    source(record.subarray(0, line));
    sink(ok);
    if (line === record.length) continue;
    source(record.subarray(line));
    sink(ok);
  }
}

describe("files over scp's own protocol", () => {
  const tree = [
    Buffer.from('D0755 0 tree\n'),
    Buffer.from('T1700000000 0 1700000000 0\n'),
    file('a', 'hello'),
    Buffer.from('D0755 0 below\n'),
    file('empty', ''),
    Buffer.from('E\n'),
    Buffer.from('E\n'),
  ];

  test('are told when they arrived, and directories when they were made', async () => {
    const up = rigOf('scp -r -p -t /srv');
    const down = rigOf('scp -r -p -f /srv/tree');

    send(up, 'upload', tree);
    send(down, 'download', tree);

    expect(await up.told()).toEqual([
      'mkdir upload /srv/tree success',
      `transfer upload /srv/tree/a r0 w5 whole ${short('hello')} success`,
      'mkdir upload /srv/tree/below success',
      `transfer upload /srv/tree/below/empty r0 w0 whole ${short('')} success`,
    ]);
    expect(await down.told()).toEqual([
      `transfer download /srv/tree/a r5 w0 whole ${short('hello')} success`,
      `transfer download /srv/tree/below/empty r0 w0 whole ${short('')} success`,
    ]);
  });

  test('bear the path of the command where that may be the file, and else theirs below it', async () => {
    const one = rigOf('scp -t /srv/x');
    const several = rigOf('scp -d -t /srv/x');
    const matched = rigOf('scp -f /srv/*.txt');

    send(one, 'upload', [file('a', 'a')]);
    send(several, 'upload', [file('a', 'a')]);
    send(matched, 'download', [file('a.txt', 'a')]);

    expect(one.operations[0]?.path?.toString()).toBe('/srv/x');
    expect(one.operations[0]?.request.toString()).toBe('C0644 1 a');
    expect(several.operations[0]?.path?.toString()).toBe('/srv/x/a');
    expect(matched.operations[0]?.path?.toString()).toBe('/srv/a.txt');
  });

  test('that the receiving side refuses, before or after their content, have failed', async () => {
    const rig = rigOf('scp -d -t /srv');
    rig.target(ok);

    rig.client(Buffer.from('C0644 5 a\n'));
    rig.target(Buffer.from('\x01scp: /srv/a: no\n'));
    rig.client(Buffer.from('C0644 5 b\n'));
    rig.target(ok);
    rig.client(Buffer.from('hello\0'));
    rig.target(Buffer.from('\x01scp: /srv/b: No space left on device\n'));

    expect(await rig.told()).toEqual([
      'transfer upload /srv/a r0 w0 no-bytes failure',
      `transfer upload /srv/b r0 w5 whole ${short('hello')} failure`,
    ]);
  });

  test('that the sending side could not read to their end have failed', async () => {
    const rig = rigOf('scp -f /srv/a');
    rig.client(ok);
    rig.target(Buffer.from('C0644 5 a\n'));
    rig.client(ok);

    rig.target(Buffer.from('hel\0\0\x01scp: /srv/a: Input/output error\n'));
    rig.client(ok);
    rig.target(Buffer.from('\x01scp: /srv/b: No such file or directory\n'));

    const [first, second] = rig.operations;
    expect(first?.outcome).toEqual({ kind: 'failure', text: Buffer.from('scp: /srv/a: Input/output error') });
    expect(second?.outcome).toEqual({
      kind: 'failure',
      text: Buffer.from('scp: /srv/b: No such file or directory'),
    });
  });

  test('are unfinished where the channel ends', async () => {
    const rig = rigOf('scp -t /srv/a');
    rig.target(ok);
    rig.client(Buffer.from('C0644 5 a\n'));
    rig.target(ok);
    rig.client(Buffer.from('hel'));

    rig.channel.end();

    expect(await rig.told()).toEqual([`transfer upload /srv/a r0 w3 prefix ${short('hel')} unfinished`]);
  });

  test('are the same however the bytes are cut', async () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 40 });
    const sent = Buffer.concat(tree);
    await fc.assert(
      fc.asyncProperty(lengths, fc.boolean(), async (cuts, guarded) => {
        const rig = rigOf('scp -r -t /srv', guarded ? noKeys : undefined);

        rig.client(...inPieces(sent, cuts));
        rig.target(Buffer.alloc(10));

        expect((await rig.told()).map((line) => line.split(' ')[2])).toEqual([
          '/srv/tree',
          '/srv/tree/a',
          '/srv/tree/below',
          '/srv/tree/below/empty',
        ]);
        expect(Buffer.concat(rig.atTarget)).toEqual(sent);
      }),
    );
  });
});

describe('a file that policy refuses scp', () => {
  test('towards the target is answered in its place, and the next one goes on', async () => {
    const rig = rigOf('scp -d -t /srv', noKeys);
    rig.target(ok);

    rig.client(...bytewise(Buffer.from('C0644 5 a.pem\n')));
    const refused = Buffer.concat(rig.atClient).subarray(1).toString();
    rig.client(Buffer.from('C0644 1 b\n'));

    expect(refused).toBe('\x01sshtrail: not this file\n');
    expect(Buffer.concat(rig.atTarget).toString()).toBe('C0644 1 b\n');
    expect(await rig.told()).toEqual(['transfer upload /srv/a.pem denied']);
  });

  test('from the target is an error to both sides, and the next one goes on', async () => {
    const rig = rigOf('scp -r -f /srv', noKeys);
    rig.client(ok);
    rig.target(Buffer.from('D0755 0 srv\n'));
    rig.client(ok);

    rig.target(Buffer.from('C0644 5 a.pem\n'));

    expect(Buffer.concat(rig.atTarget).toString()).toBe('\0\0\x01sshtrail: not this file\n');
    expect(Buffer.concat(rig.atClient).toString()).toBe('D0755 0 srv\n\x01sshtrail: not this file\n');
    expect(await rig.told()).toEqual(['transfer download /srv/a.pem denied']);
  });

  test('is refused by the name it has and by the one it would get', () => {
    const byPath = rigOf('scp -t /srv/x.pem', noKeys);
    const byName = rigOf('scp -t /srv/x', noKeys);

    for (const [rig, name] of [
      [byPath, 'a'],
      [byName, 'a.pem'],
    ] as const) {
      rig.target(ok);
      rig.client(Buffer.from(`C0644 5 ${name}\n`));

      expect(Buffer.concat(rig.atTarget).length).toBe(0);
    }
  });

  test('cannot be sent all the same', () => {
    const rig = rigOf('scp -t /srv/a.pem', noKeys);
    rig.target(ok);

    rig.client(Buffer.from('C0644 5 a.pem\nhello\0'));
    rig.client(Buffer.from('E\n'));

    expect(rig.refusal).toContain('not the scp that is understood');
    expect(Buffer.concat(rig.atTarget).toString()).toBe('');
  });

  test('cannot hide behind one that was not yet answered', () => {
    const rig = rigOf('scp -d -t /srv', noKeys);
    rig.target(ok);

    rig.client(Buffer.from('C0644 1 b\nx\0C0644 5 a.pem\n'));

    expect(rig.refusal).toContain('without waiting');
  });
});

describe('what is no scp', () => {
  test.each([
    ['C0644 x a\n', 'malformed'],
    ['C0644 99999999999999999 a\n', 'malformed'],
    ['hello\n', 'malformed'],
    ['C'.repeat(5000), 'frame-length'],
  ])('is not read any further: %j', async (sent, code) => {
    const rig = rigOf('scp -t /srv');
    rig.target(ok);

    rig.client(Buffer.from(sent));
    rig.client(Buffer.from('more'));

    expect((await rig.told()).at(-1)).toContain(`unparsed ${code}`);
    expect(Buffer.concat(rig.atTarget).toString()).toBe(`${sent}more`);
  });

  test('an answer to nothing is not read any further', async () => {
    const rig = rigOf('scp -t /srv');

    rig.target(Buffer.of(0, 0));

    expect((await rig.told()).at(-1)).toContain('unparsed unexpected-reply');
  });

  test('random bytes from either side pass and throw nothing', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc
        .constantFrom('C0644 3 a\n', 'D0755 0 d\n', 'E\n', 'T1 0 1 0\n', '\x01no\n', '\0', 'abc', 'C0644')
        .map((line) => Buffer.from(line)),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), piece), { maxLength: 15 }), (sent) => {
        const rig = rigOf('scp -r -t /srv');

        for (const [fromClient, bytes] of sent) {
          if (fromClient) rig.client(Buffer.from(bytes));
          else rig.target(Buffer.from(bytes));
        }
        rig.channel.end();

        const all = (side: boolean) =>
          Buffer.concat(
            sent.flatMap(([fromClient, bytes]) => (fromClient === side ? [Buffer.from(bytes)] : [])),
          );
        expect(Buffer.concat(rig.atTarget)).toEqual(all(true));
        expect(Buffer.concat(rig.atClient)).toEqual(all(false));
      }),
    );
  });
});
