import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytewise, frame, inPieces, sftp, sha256, TransferRig, text, u32, u64 } from './sftp-rig.ts';

const read = 1;
const writeNew = 2 | 8 | 16;

function short(content: string | Buffer): string {
  return sha256(content).slice(0, 8);
}

describe('a file over SFTP', () => {
  test('is told with its bytes and its hash when it is closed, either way', async () => {
    const rig = new TransferRig().greet();

    rig.client(sftp.open(1, '/up', writeNew));
    rig.target(sftp.handle(1, 'h'));
    rig.client(sftp.write(2, 'h', 0, 'hello '), sftp.write(3, 'h', 6, 'world'));
    rig.target(sftp.status(2, 0), sftp.status(3, 0));
    rig.client(sftp.close(4, 'h'));
    rig.target(sftp.status(4, 0));
    rig.client(sftp.open(5, '/down', read));
    rig.target(sftp.handle(5, 'h'));
    rig.client(sftp.read(6, 'h', 0, 100), sftp.read(7, 'h', 100, 100));
    rig.target(sftp.data(6, 'hello world'), sftp.status(7, 1));
    rig.client(sftp.read(8, 'h', 11, 89));
    rig.target(sftp.status(8, 1));
    rig.client(sftp.close(9, 'h'));
    rig.target(sftp.status(9, 0));

    expect(await rig.told()).toEqual([
      `transfer upload /up r0 w11 whole ${short('hello world')} success`,
      `transfer download /down r11 w0 whole ${short('hello world')} success`,
    ]);
  });

  test.each([
    [
      'out of order',
      [sftp.write(2, 'h', 5, 'world'), sftp.write(3, 'h', 0, 'hello')],
      writeNew,
      'r0 w10 out-of-order',
    ],
    ['twice', [sftp.write(2, 'h', 0, 'a'), sftp.write(3, 'h', 0, 'a')], writeNew, 'r0 w2 out-of-order'],
    ['appended', [sftp.write(2, 'h', 0, 'a')], 2 | 4 | 8, 'r0 w1 appended'],
    ['onto what was there', [sftp.write(2, 'h', 0, 'a')], 2 | 8, `r0 w1 prefix ${short('a')}`],
    ['not at all', [], 2 | 8, 'r0 w0 no-bytes'],
    ['empty', [], writeNew, `r0 w0 whole ${short('')}`],
    [
      'onto what was there, and cut at its end',
      [sftp.write(2, 'h', 0, 'a'), sftp.fsetstatSize(3, 'h', 1)],
      2 | 8,
      `r0 w1 whole ${short('a')}`,
    ],
    [
      'and cut to less',
      [sftp.write(2, 'h', 0, 'abc'), sftp.fsetstatSize(3, 'h', 1)],
      writeNew,
      'r0 w3 out-of-order',
    ],
    ['far behind the end of any', [sftp.write(2, 'h', 2 ** 53 - 1, 'a')], writeNew, 'r0 w1 out-of-order'],
  ])('written %s has a hash only where that says what the file is', async (_, writes, flags, expected) => {
    const rig = new TransferRig().greet();

    rig.client(sftp.open(1, '/f', flags));
    rig.target(sftp.handle(1, 'h'));
    rig.client(...writes);
    rig.target(...writes.map((_write, index) => sftp.status(2 + index, 0)));
    rig.client(sftp.close(9, 'h'));
    rig.target(sftp.status(9, 0));

    expect((await rig.told()).at(-1)).toBe(`transfer upload /f ${expected} success`);
  });

  test('of which a block was not taken has no hash, and not its bytes', async () => {
    const rig = new TransferRig().greet();

    rig.client(sftp.open(1, '/f', writeNew));
    rig.target(sftp.handle(1, 'h'));
    rig.client(sftp.write(2, 'h', 0, 'hello'), sftp.write(3, 'h', 5, 'no room'));
    rig.target(sftp.status(2, 0), sftp.status(3, 4));
    rig.client(sftp.close(4, 'h'));
    rig.target(sftp.status(4, 0));

    expect(await rig.told()).toEqual(['transfer upload /f r0 w5 failed-write success']);
  });

  test('read in part has the hash of that part, and of the whole where its length is known', async () => {
    const rig = new TransferRig().greet();

    for (const size of [5, 100]) {
      rig.client(sftp.open(1, `/${size}`, read));
      rig.target(sftp.handle(1, 'h'));
      rig.client(sftp.fstat(2, 'h'), sftp.read(3, 'h', 0, 5));
      rig.target(sftp.attributesSize(2, size), sftp.data(3, 'hello'));
      rig.client(sftp.close(4, 'h'));
      rig.target(sftp.status(4, 0));
    }

    expect(await rig.told()).toEqual([
      `transfer download /5 r5 w0 whole ${short('hello')} success`,
      `transfer download /100 r5 w0 prefix ${short('hello')} success`,
    ]);
  });

  test('read and written through one handle has no hash', async () => {
    const rig = new TransferRig().greet();

    rig.client(sftp.open(1, '/f', read | 2));
    rig.target(sftp.handle(1, 'h'));
    rig.client(sftp.read(2, 'h', 0, 5));
    rig.target(sftp.data(2, 'hello'));
    rig.client(sftp.write(3, 'h', 5, 'x'));
    rig.target(sftp.status(3, 0));
    rig.client(sftp.close(4, 'h'));
    rig.target(sftp.status(4, 0));

    expect(await rig.told()).toEqual(['transfer both /f r5 w1 both-ways success']);
  });

  test('is unfinished where the channel ends before it is closed, as is a request without an answer', async () => {
    const rig = new TransferRig().greet();
    rig.client(sftp.open(1, '/f', writeNew));
    rig.target(sftp.handle(1, 'h'));
    rig.client(sftp.write(2, 'h', 0, 'hello'), sftp.remove(3, '/g'), sftp.open(4, '/i', read));

    rig.channel.end();

    expect(await rig.told()).toEqual([
      `transfer upload /f r0 w5 whole ${short('hello')} unfinished`,
      'remove /g unfinished',
      'transfer download /i unfinished',
    ]);
  });

  test('whose handle the target gives out again before it was closed is told then', async () => {
    const rig = new TransferRig().greet();
    rig.client(sftp.open(1, '/f', writeNew), sftp.open(2, '/g', writeNew));

    rig.target(sftp.handle(1, 'h'));
    rig.client(sftp.write(3, 'h', 0, 'hello'));
    rig.target(sftp.handle(2, 'h'));
    rig.client(sftp.write(4, 'h', 0, 'x'), sftp.close(5, 'h'), sftp.close(6, 'h'));
    rig.target(sftp.status(5, 0), sftp.status(6, 4));

    expect(await rig.told()).toEqual([
      `transfer upload /f r0 w5 whole ${short('hello')} unfinished`,
      `transfer upload /g r0 w1 whole ${short('x')} success`,
    ]);
  });
});

describe('what is done to files by name', () => {
  test.each([
    [sftp.remove(1, '/a'), 'remove /a'],
    [sftp.rename(1, '/a', '/b'), 'rename /a /b'],
    [sftp.mkdir(1, '/a'), 'mkdir /a'],
    [frame(15, u32(1), text('/a')), 'rmdir /a'],
    [sftp.setstatMode(1, '/a', 0o100_644), 'setstat /a mode=0644'],
    [sftp.symlink(1, 'to', '/a'), 'symlink to /a'],
    [sftp.extended(1, 'posix-rename@openssh.com', text('/a'), text('/b')), 'rename /a /b'],
    [sftp.extended(1, 'hardlink@openssh.com', text('/a'), text('/b')), 'hardlink /a /b'],
    [sftp.extended(1, 'lsetstat@openssh.com', text('/a'), u32(2), u32(7), u32(8)), 'setstat /a uid=7,gid=8'],
  ])('is told with its outcome (%#)', async (request, expected) => {
    const rig = new TransferRig().greet();

    rig.client(request);
    rig.target(sftp.status(1, 0));
    rig.client(request);
    rig.target(sftp.status(1, 3, 'no'));

    expect(await rig.told()).toEqual([`${expected} success`, `${expected} failure 3`]);
  });

  test('a copy within the target is one, and leaves its copy without a hash', async () => {
    const rig = new TransferRig().greet();
    rig.client(sftp.open(1, '/a', read), sftp.open(2, '/b', writeNew));
    rig.target(sftp.handle(1, 'a'), sftp.handle(2, 'b'));

    rig.client(
      sftp.extended(3, 'copy-data', text('a'), u64(0), u64(0), text('b'), u64(0)),
      sftp.close(4, 'b'),
    );
    rig.target(sftp.status(3, 0), sftp.status(4, 0));

    expect(await rig.told()).toEqual([
      'copy /a /b offset=0,length=0,newOffset=0 success',
      'transfer upload /b r0 w0 copied success',
    ]);
  });

  test('relative paths are told from the root on, too, once it is known where they begin', async () => {
    const rig = new TransferRig().greet('/home/alice');

    rig.client(sftp.remove(1, '../bob/./x'));
    rig.target(sftp.status(1, 0));

    expect(await rig.told()).toEqual(['remove ../bob/./x (/home/bob/x) success']);
  });

  test('paths are the bytes that were sent, whatever they are', () => {
    const rig = new TransferRig().greet();
    const path = Buffer.from([0x2f, 0xff, 0x1b, 0x5b, 0x32, 0x4a, 0x0a]);

    rig.client(sftp.remove(1, path));
    rig.target(sftp.status(1, 0));

    expect(rig.operations[0]?.path).toEqual(path);
  });

  test('listing, looking and unknown extensions are not told', async () => {
    const rig = new TransferRig().greet();

    rig.client(sftp.opendir(1, '/d'), sftp.stat(2, '/d'), sftp.extended(3, 'new@example.com', text('x')));
    rig.target(sftp.handle(1, 'd'), sftp.attributesSize(2, 3), frame(201, u32(3), text('y')));
    rig.client(frame(12, u32(4), text('d')), sftp.close(5, 'd'));
    rig.target(sftp.name(4, 'x'), sftp.status(5, 0));
    rig.channel.end();

    expect(await rig.told()).toEqual([]);
    expect(rig.refusal).toBeUndefined();
  });
});

describe('a peer that breaks the protocol', () => {
  const open = [sftp.open(1, '/f', read)];
  const handle = [sftp.handle(1, 'h')];

  test.each<[string, string, Buffer[], Buffer[]]>([
    ['a length over any', 'frame-length', [u32(262_145)], []],
    ['an empty message', 'frame-length', [u32(0)], []],
    ['a message cut short', 'malformed', [frame(3, u32(1), u32(100), Buffer.from('x'))], []],
    ['no request', 'malformed', [frame(99, u32(1))], []],
    [
      'a block longer than its message',
      'malformed',
      [frame(6, u32(1), text('h'), u64(0), u32(9), Buffer.from('x'))],
      [],
    ],
    [
      'a handle longer than any',
      'malformed',
      [frame(6, u32(1), text('h'.repeat(257)), u64(0), text('x'))],
      [],
    ],
    ['a number again before its answer', 'id-reused', [sftp.stat(1, '/a'), sftp.stat(1, '/b')], []],
    ['a reply to nothing', 'unexpected-reply', [], [sftp.status(7, 0)]],
    ['a second reply', 'unexpected-reply', [sftp.stat(1, '/a')], [sftp.status(1, 2), sftp.status(1, 2)]],
    ['a handle for a question', 'unexpected-reply', [sftp.stat(1, '/a')], [sftp.handle(1, 'h')]],
    ['content for a question', 'unexpected-reply', [sftp.stat(1, '/a')], [sftp.data(1, 'x')]],
    ['a request as a reply', 'malformed', [sftp.stat(1, '/a')], [sftp.stat(1, '/a')]],
  ])('%s is not read any further, and said to be so', async (_, code, client, target) => {
    const rig = new TransferRig().greet();
    rig.client(...client);
    rig.target(...target);

    rig.client(Buffer.from('anything'));
    rig.target(Buffer.from('at all'));

    expect((await rig.told()).at(-1)).toBe(`unparsed unparsed ${code}`);
    expect(rig.refusal).toBeUndefined();
    expect(Buffer.concat(rig.atTarget)).toEqual(
      Buffer.concat([sftp.init(), ...client, Buffer.from('anything')]),
    );
    expect(Buffer.concat(rig.atClient)).toEqual(
      Buffer.concat([sftp.version(), ...target, Buffer.from('at all')]),
    );
  });

  test('more of a file than was asked for leaves the file unfinished', async () => {
    const rig = new TransferRig().greet();
    rig.client(...open);
    rig.target(...handle);
    rig.client(sftp.read(2, 'h', 0, 3));

    rig.target(sftp.data(2, 'four'));

    expect(await rig.told()).toEqual([
      'transfer download /f r0 w0 no-bytes unfinished',
      'unparsed unparsed unexpected-data',
    ]);
  });

  test('requests and handles without end are given up', async () => {
    const requests = new TransferRig().greet();
    for (let id = 0; id <= 8192; id += 1) requests.client(sftp.stat(id, '/'));
    const handles = new TransferRig().greet();
    for (let id = 0; id <= 1024; id += 1) {
      handles.client(sftp.opendir(id, '/'));
      handles.target(sftp.handle(id, `h${id}`));
    }

    expect(await requests.told()).toEqual(['unparsed unparsed too-many-requests']);
    expect(await handles.told()).toEqual(['unparsed unparsed too-many-handles']);
  });

  test('what does not begin with INIT passes untouched, even what was kept back for it', async () => {
    const rig = new TransferRig();

    rig.client(...bytewise(Buffer.from('SSH-2.0-')));

    expect(Buffer.concat(rig.atTarget).toString()).toBe('SSH-2.0-');
    expect(await rig.told()).toEqual(['unparsed unparsed frame-length']);
  });

  test('a later version is held down to what is understood; a target that insists is not read', async () => {
    const rig = new TransferRig();

    rig.client(sftp.init(6));
    rig.target(sftp.version(6));

    expect(Buffer.concat(rig.atTarget)).toEqual(sftp.init(3));
    expect(await rig.told()).toEqual(['unparsed unparsed version']);
  });
});

describe('however the bytes are cut', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 40 });

  test('the same is told and all bytes pass', async () => {
    const up = [sftp.init(), sftp.open(1, '/f', writeNew)];
    const more = [
      sftp.write(2, 'h', 0, 'hello'.repeat(20)),
      sftp.write(3, 'h', 100, 'x'),
      sftp.close(4, 'h'),
    ];
    const down = [sftp.version(), sftp.handle(1, 'h')];
    const done = [sftp.status(2, 0, 'ok'), sftp.status(3, 0), sftp.status(4, 0)];
    await fc.assert(
      fc.asyncProperty(lengths, lengths, lengths, lengths, async (one, two, three, four) => {
        const rig = new TransferRig();

        rig.client(...inPieces(Buffer.concat(up), one));
        rig.target(...inPieces(Buffer.concat(down), two));
        rig.client(...inPieces(Buffer.concat(more), three));
        rig.target(...inPieces(Buffer.concat(done), four));

        expect(await rig.told()).toEqual([
          `transfer upload /f r0 w101 whole ${short(`${'hello'.repeat(20)}x`)} success`,
        ]);
        expect(Buffer.concat(rig.atTarget)).toEqual(Buffer.concat([...up, ...more]));
        expect(Buffer.concat(rig.atClient)).toEqual(Buffer.concat([...down, ...done]));
      }),
    );
  });

  test('random bytes from either side pass and throw nothing', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .tuple(fc.integer({ min: 1, max: 20 }), fc.uint8Array({ maxLength: 40 }))
        .map(([type, body]) => frame(type, u32(1), Buffer.from(body))),
      fc
        .tuple(fc.integer({ min: 100, max: 106 }), fc.uint8Array({ maxLength: 40 }))
        .map(([type, body]) => frame(type, u32(1), Buffer.from(body))),
    );
    const pieces = fc.array(fc.tuple(fc.boolean(), piece), { maxLength: 12 });
    fc.assert(
      fc.property(fc.boolean(), pieces, (greeted, sent) => {
        const rig = greeted ? new TransferRig().greet() : new TransferRig();
        const before = Buffer.concat(rig.atClient).length;

        for (const [fromClient, bytes] of sent) {
          if (fromClient) rig.client(Buffer.from(bytes));
          else rig.target(Buffer.from(bytes));
        }
        rig.channel.end();

        const fromTarget = sent.flatMap(([fromClient, bytes]) => (fromClient ? [] : [Buffer.from(bytes)]));
        expect(Buffer.concat(rig.atClient).subarray(before)).toEqual(Buffer.concat(fromTarget));
        expect([rig.dropped, rig.added, rig.refusal]).toEqual([0, 0, undefined]);
      }),
    );
  });
});
