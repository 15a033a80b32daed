import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytewise, inPieces, refusing, sftp, TransferRig, text, u32 } from './sftp-rig.ts';

const read = 1;
const writeNew = 2 | 8 | 16;
const noKeys = refusing(/^download .*\.pem$/);

/** The STATUS that is given in the target's place. */
function denied(id: number, message = 'not this file'): Buffer {
  return sftp.status(id, 3, `sshtrail: ${message}`);
}

function after(all: readonly Buffer[], ...before: readonly Buffer[]): Buffer {
  return Buffer.concat(all).subarray(Buffer.concat(before).length);
}

describe('a file that policy refuses', () => {
  test('is answered with PERMISSION_DENIED and a message, never reaches the target, and the rest goes on', async () => {
    const rig = new TransferRig(noKeys).greet();

    rig.client(
      Buffer.concat([sftp.stat(1, '/a.pem'), sftp.open(2, '/a.pem', read), sftp.open(3, '/b', read)]),
    );

    expect(after(rig.atTarget, sftp.init())).toEqual(
      Buffer.concat([sftp.stat(1, '/a.pem'), sftp.open(3, '/b', read)]),
    );
    expect(after(rig.atClient, sftp.version())).toEqual(denied(2));
    expect(rig.dropped).toBe(sftp.open(2, '/a.pem', read).length);
    expect(rig.added).toBe(denied(2).length);
    expect(await rig.told()).toEqual(['transfer download /a.pem denied']);
  });

  test('is answered behind the reply that has begun, not within it', () => {
    const rig = new TransferRig(noKeys).greet();
    const reply = sftp.data(1, 'x'.repeat(100));
    const next = sftp.status(3, 0);
    rig.client(sftp.open(9, '/b', read));
    rig.target(sftp.handle(9, 'h'));
    const before = Buffer.concat(rig.atClient).length;
    rig.client(sftp.read(1, 'h', 0, 100), sftp.stat(3, '/c'));

    rig.target(reply.subarray(0, 50));
    rig.client(sftp.open(2, '/a.pem', read));
    const early = Buffer.concat(rig.atClient).subarray(before);
    rig.target(Buffer.concat([reply.subarray(50), next]));

    expect(early).toEqual(reply.subarray(0, 50));
    expect(Buffer.concat(rig.atClient).subarray(before)).toEqual(Buffer.concat([reply, denied(2), next]));
  });

  test('is not answered before the target has said which version it speaks', () => {
    const rig = new TransferRig(noKeys);

    rig.client(sftp.init(), sftp.open(1, '/a.pem', read));
    const early = Buffer.concat(rig.atClient);
    rig.target(sftp.version());

    expect(early.length).toBe(0);
    expect(Buffer.concat(rig.atClient)).toEqual(Buffer.concat([sftp.version(), denied(1)]));
  });

  test('stays refused however the bytes are cut', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 });
    const kinds = fc.array(fc.constantFrom('open', 'key', 'write', 'stat'), { maxLength: 12 });
    fc.assert(
      fc.property(kinds, lengths, (sent, cuts) => {
        const rig = new TransferRig(noKeys).greet();
        const frames = sent.map((kind, id) => {
          if (kind === 'write') return sftp.write(id, 'h', 0, 'x'.repeat(50));
          return kind === 'stat'
            ? sftp.stat(id, '/a.pem')
            : sftp.open(id, kind === 'key' ? '/a.pem' : '/b', read);
        });

        rig.client(...inPieces(Buffer.concat(frames), cuts));

        const passing = frames.filter((_, index) => sent[index] !== 'key');
        const refused = frames.filter((_, index) => sent[index] === 'key');
        expect(after(rig.atTarget, sftp.init())).toEqual(Buffer.concat(passing));
        expect(after(rig.atClient, sftp.version())).toEqual(
          Buffer.concat(sent.flatMap((kind, id) => (kind === 'key' ? [denied(id)] : []))),
        );
        expect(rig.dropped).toBe(Buffer.concat(refused).length);
      }),
    );
  });

  test('byte by byte, too, with nothing kept back at the end', () => {
    const rig = new TransferRig(noKeys);

    rig.client(...bytewise(Buffer.concat([sftp.init(), sftp.open(1, '/b', read)])));

    expect(Buffer.concat(rig.atTarget)).toEqual(Buffer.concat([sftp.init(), sftp.open(1, '/b', read)]));
  });

  test.each([['/srv/../srv/./a.pem'], ['/srv//a.pem/'], ['a.pem'], ['./x/../a.pem']])(
    'is known by any way to write it: %s',
    (path) => {
      const rig = new TransferRig(refusing(/^download \/srv\/a\.pem$/)).greet('/srv');
      const before = Buffer.concat(rig.atTarget).length;

      rig.client(sftp.open(1, path, read));

      expect(Buffer.concat(rig.atTarget).length).toBe(before);
    },
  );

  test('and one of which it cannot be told which it is are refused alike', async () => {
    const rig = new TransferRig(refusing(/never/)).greet();

    rig.client(sftp.open(1, 'a.txt', read), sftp.open(2, '/a.txt\0.pem', read), sftp.remove(3, ''));

    expect(after(rig.atTarget, sftp.init()).length).toBe(0);
    expect((await rig.told()).map((line) => line.split(' ').at(-1))).toEqual(['denied', 'denied', 'denied']);
  });

  test('a relative path needs no place where no rule reads it', () => {
    const rig = new TransferRig(refusing(/.*/, ['upload'])).greet();

    rig.client(sftp.open(1, 'a.txt', read));

    expect(after(rig.atTarget, sftp.init())).toEqual(sftp.open(1, 'a.txt', read));
  });
});

describe('what policy refuses to be changed', () => {
  const noConfiguration = refusing(/^upload \/etc\//);

  test.each([
    ['writing', sftp.open(1, '/etc/x', writeNew)],
    ['making', sftp.open(1, '/etc/x', 8)],
    ['removing', sftp.remove(1, '/etc/x')],
    ['a directory', sftp.mkdir(1, '/etc/x')],
    ['attributes', sftp.setstatMode(1, '/etc/x', 0o777)],
    ['moving away', sftp.rename(1, '/etc/x', '/tmp/x')],
    ['moving there', sftp.rename(1, '/tmp/x', '/etc/x')],
    ['moving all of it', sftp.rename(1, '/etc', '/tmp/x')],
    ['moving onto', sftp.extended(1, 'posix-rename@openssh.com', text('/tmp/x'), text('/etc/x'))],
    ['a link there', sftp.symlink(1, '/tmp/x', '/etc/x')],
    ['a link to it', sftp.symlink(1, '/etc/x', '/tmp/x')],
    ['a link to it from beside', sftp.symlink(1, '../etc/x', '/tmp/x')],
    ['another name of it', sftp.extended(1, 'hardlink@openssh.com', text('/etc/x'), text('/tmp/x'))],
  ])('%s', async (_, request) => {
    const rig = new TransferRig(noConfiguration).greet();

    rig.client(request);

    expect(after(rig.atTarget, sftp.init()).length).toBe(0);
    expect(after(rig.atClient, sftp.version())).toEqual(denied(1));
    expect((await rig.told())[0]).toMatch(/ denied$/);
  });

  test('attributes through a handle that was opened for reading', () => {
    const rig = new TransferRig(noConfiguration).greet();
    rig.client(sftp.open(1, '/etc/x', read));
    rig.target(sftp.handle(1, 'h'));
    const before = Buffer.concat(rig.atTarget).length;

    rig.client(sftp.fsetstatSize(2, 'h', 0));

    expect(Buffer.concat(rig.atTarget).length).toBe(before);
  });
});

describe('a file that may not be fetched', () => {
  test.each([
    ['renamed', sftp.rename(1, '/a.pem', '/a.txt')],
    ['linked', sftp.symlink(1, 'a.pem', '/a.txt')],
    ['linked hard', sftp.extended(1, 'hardlink@openssh.com', text('/a.pem'), text('/a.txt'))],
  ])('cannot be %s into one that may', (_, request) => {
    const rig = new TransferRig(noKeys).greet();

    rig.client(request);

    expect(after(rig.atClient, sftp.version())).toEqual(denied(1));
  });

  test('can be renamed where that gains nothing', () => {
    const rig = new TransferRig(noKeys).greet();

    rig.client(sftp.rename(1, '/a.pem', '/b.pem'), sftp.rename(2, '/a.txt', '/c.pem'));

    expect(after(rig.atTarget, sftp.init()).length).toBeGreaterThan(0);
    expect(after(rig.atClient, sftp.version()).length).toBe(0);
  });
});

describe('while policy speaks of files', () => {
  test('an extension that is not known is not passed on', () => {
    const rig = new TransferRig(noKeys).greet();

    rig.client(
      sftp.extended(1, 'read-anything@example.com', text('/a.pem')),
      sftp.extended(2, 'limits@openssh.com'),
    );

    expect(after(rig.atTarget, sftp.init())).toEqual(sftp.extended(2, 'limits@openssh.com'));
    expect(after(rig.atClient, sftp.version())).toEqual(
      sftp.status(1, 8, 'sshtrail: this extension is not passed on'),
    );
  });

  test('bytes that are not understood do not pass, from either side', () => {
    const client = new TransferRig(noKeys).greet();
    const target = new TransferRig(noKeys).greet();

    client.client(u32(2 ** 31));
    target.target(sftp.status(1, 0));

    expect([client.refusal, target.refusal]).toEqual([
      'the client does not speak the SFTP that is understood here: a message of 2147483648 bytes is none of the file transfer; at most 262144 are',
      'the target does not speak the SFTP that is understood here: the target answered request 1, which was not made',
    ]);
  });

  test('answers that cannot be given do not pile up', () => {
    const rig = new TransferRig(noKeys).greet();
    rig.client(sftp.stat(0, '/'));
    rig.target(sftp.attributesSize(0, 1).subarray(0, 6));

    for (let id = 1; id < 2000 && rig.refusal === undefined; id += 1)
      rig.client(sftp.open(id, '/a.pem', read));

    expect(rig.refusal).toContain('too many refused requests');
  });

  test('nothing of a request that never ends is passed', () => {
    const rig = new TransferRig(noKeys).greet();

    rig.client(sftp.open(1, '/a.pem', read).subarray(0, 20));
    rig.channel.end();

    expect(after(rig.atTarget, sftp.init()).length).toBe(0);
  });
});
