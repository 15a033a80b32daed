import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileRules,
  createRecordingRedactor,
  createValueMemory,
  type HoldLimits,
  type Redacted,
} from '../../../core/redaction/index.ts';

const rules = compileRules({ defaults: true, rules: [] });
const esc = '\u001b';
const secret = 'hunter2-Zq';

function redactor(columns = 80, limits: Partial<HoldLimits> = {}) {
  return createRecordingRedactor<string>({
    rules,
    memory: createValueMemory(Buffer.alloc(32, 7)),
    columns,
    limits,
  });
}

function bytesOf(given: readonly Redacted<string>[]): Buffer {
  return Buffer.concat(
    given.map((one) => (one.kind === 'output' ? one.data : Buffer.from(`<${one.event}>`))),
  );
}

function textOf(given: readonly Redacted<string>[]): string {
  return bytesOf(given).toString('utf8');
}

/** Each part is an event of its own, a millisecond after the one before. */
function shown(parts: Iterable<string | Uint8Array>, columns = 80): string {
  const channel = redactor(columns);
  const given: Buffer[] = [];
  let atMs = 0;
  for (const part of parts) given.push(bytesOf(channel.output(atMs++, 'stdout', Buffer.from(part))));
  return Buffer.concat([...given, bytesOf(channel.flush())]).toString('utf8');
}

/** What readline sends for text typed at the end of a line. */
const typed = (text: string) => Array.from(text);

describe('createRecordingRedactor', () => {
  it('hides what is printed, and leaves all else byte for byte', () => {
    const before = `${esc}[1;32mbob@web-1${esc}[0m:~$ `;
    const text = `${before}mysql -uroot -p${secret} shop\r\nWelcome.\r\n`;

    expect(shown([text])).toBe(text.replace(secret, '*'.repeat(10)));
  });

  it('hides what is typed, one character an event', () => {
    const parts = ['$ ', ...typed(`mysql -p${secret}`), '\r\n', 'ok\r\n'];

    expect(shown(parts)).toBe(`$ mysql -p${'*'.repeat(10)}\r\nok\r\n`);
  });

  it.each([1, 2, 3, 5, 7, 11, 4096])('hides what is cut into pieces of %i bytes', (size) => {
    const text = `x\r\nexport TOKEN=${secret} 漢字 ghp_${'a1B2c3D4e5F6'.repeat(3)}\r\ny\r\n`;
    const bytes = Buffer.from(text);
    const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    );

    expect(shown(parts)).toBe(`x\r\nexport TOKEN=${'*'.repeat(10)} 漢字 ${'*'.repeat(40)}\r\ny\r\n`);
  });

  it('keeps colours and cursor moves in the middle of a secret', () => {
    const coloured = Array.from(secret)
      .map((letter) => `${esc}[3${letter.charCodeAt(0) % 8}m${letter}`)
      .join('');
    const masked = Array.from(secret, (letter) => `${esc}[3${letter.charCodeAt(0) % 8}m*`).join('');

    expect(shown([`mysql ${esc}[4m-p${coloured}${esc}[0m\r\n`])).toBe(
      `mysql ${esc}[4m-p${masked}${esc}[0m\r\n`,
    );
  });

  it('hides what is typed with a correction at the end', () => {
    const text = shown(['$ ', ...typed('mysql -phunXX'), '\b \b', '\b \b', ...typed('ter2-Zq'), '\r\n']);

    expect(text).toBe(`$ mysql -p*****\b \b\b \b*******\r\n`);
  });

  it('hides what is inserted in the middle, where the shell draws the rest of the line again', () => {
    const tail = 'er2-Zq';
    const parts = ['$ ', ...typed(`mysql -phu${tail}`), '\b'.repeat(tail.length)];
    parts.push(`n${tail}${'\b'.repeat(tail.length)}`, `t${tail}${'\b'.repeat(tail.length)}`, '\r\n');

    expect(shown(parts)).toMatch(/^\$ mysql -p[*\b\r\n]+$/);
  });

  it('hides what is inserted by ICH and removed by DCH', () => {
    const parts = ['$ mysql -phter2-Zq', '\b'.repeat(7), `${esc}[2@un`, `${esc}[1P`, '\r\n'];

    expect(shown(parts)).not.toMatch(/un|ter2|Zq/);
  });

  it('hides what was typed and then removed without being entered', () => {
    const text = shown(['$ ', ...typed(`mysql -p${secret}`), `\r$ ${esc}[K`, ...typed('ls'), '\r\n']);

    expect(text).toBe(`$ mysql -p${'*'.repeat(10)}\r$ ${esc}[Kls\r\n`);
  });

  it('hides what wraps at the width of the terminal', () => {
    const line = `$ ${'x'.repeat(20)} mysql -p`;
    const before = secret.slice(0, 40 - line.length);
    const after = secret.slice(40 - line.length);
    const text = shown([...typed(line + before), ' \r', ...typed(after), '\r\n'], 40);

    expect(text).toBe(`${line}${'*'.repeat(before.length)} \r${'*'.repeat(after.length)}\r\n`);
  });

  it('hides what is corrected in an earlier row of a wrapped line', () => {
    const line = `$ mysql -p${secret} ${'x'.repeat(40)}`;
    const parts = [
      line.slice(0, 40),
      ' \r',
      line.slice(40),
      `${esc}[A\r${esc}[10C`,
      `H${secret.slice(1)}`,
      '\r\n',
    ];

    expect(shown(parts, 40)).not.toMatch(/unter|Zq/);
  });

  it('hides a private key line by line, without waiting for its end', () => {
    const channel = redactor();
    const body = 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW';
    const lines = ['-----BEGIN OPENSSH PRIVATE KEY-----', body, body, '-----END OPENSSH PRIVATE KEY-----'];

    const given = lines.map((line, atMs) =>
      textOf(channel.output(atMs, 'stdout', Buffer.from(`${line}\r\n`))),
    );

    expect(given).toEqual(lines.map((line) => `${line.replace(body, '*'.repeat(body.length))}\r\n`));
  });

  it('hides again what it hid once: history, a redrawn screen', () => {
    const text = shown([
      `$ mysql -p${secret}\r\n`,
      `$ history\r\n  1  echo ${secret}\r\n`,
      `${esc}[?1049h${esc}[5;10H${esc}[33m${secret}${esc}[6;1H~`,
      `${esc}]0;vim ${secret}\u0007\r\n`,
    ]);

    expect(text).not.toContain(secret);
  });

  it('hides what stands in a title', () => {
    expect(shown([`${esc}]0;mysql -p${secret}\u0007$ ls\r\n`])).toBe(
      `${esc}]0;mysql -p${'*'.repeat(10)}\u0007$ ls\r\n`,
    );
  });

  it('hides what an editor draws by rows and columns', () => {
    const text = shown([
      `${esc}[3;1Hpassword: ${esc}[20;1H-- INSERT --${esc}[3;11H`,
      ...typed(secret),
      `${esc}[4;1H\r\n`,
    ]);

    expect(text).not.toContain(secret);
    expect(text).not.toContain('hunter');
  });

  it('takes characters of two cells and of none for what they are', () => {
    expect(shown(['app --password=漢e\u0301x\r\n'])).toBe('app --password=****\r\n');
  });

  it('gives everything out in the order and with the times it came', () => {
    const channel = redactor();
    const given = [
      ...channel.output(10, 'stdout', Buffer.from('mysql -p')),
      ...channel.event(11, 'resized'),
      ...channel.output(12, 'stderr', Buffer.from('warning\r\n')),
      ...channel.output(13, 'stdout', Buffer.from(`${secret}\r\nnext`)),
      ...channel.flush(),
    ];

    expect(
      given.map((one) =>
        one.kind === 'output' ? [one.atMs, one.stream, Buffer.from(one.data).toString()] : one.event,
      ),
    ).toEqual([
      [10, 'stdout', 'mysql -p'],
      'resized',
      [12, 'stderr', 'warning\r\n'],
      [13, 'stdout', `${'*'.repeat(10)}\r\n`],
      [13, 'stdout', 'next'],
    ]);
  });

  it('gives out at once what is plain, and a prompt when its time has come', () => {
    const channel = redactor();

    expect(textOf(channel.output(0, 'stdout', Buffer.from('one\r\ntwo\r\n$ ')))).toBe('one\r\ntwo\r\n');
    expect(textOf(channel.tick(500))).toBe('');
    expect(textOf(channel.tick(1000))).toBe('$ ');
    expect(channel.heldBytes).toBe(0);
  });

  it('knows what stood before a secret that was given out too early, and holds where one is announced', () => {
    const channel = redactor();
    let text = textOf(channel.output(0, 'stdout', Buffer.from('$ mysql -phun')));
    text += textOf(channel.tick(5000));
    expect(text).toBe('');

    text += textOf(channel.tick(10_000));
    expect(text).toBe('$ mysql -p***');

    text += textOf(channel.output(20_000, 'stdout', Buffer.from('ter2-Zq\r\n')));
    expect(text).toBe(`$ mysql -p${'*'.repeat(10)}\r\n`);
    expect(textOf(channel.output(20_001, 'stdout', Buffer.from(`${secret}\r\n`)))).toBe(
      `${'*'.repeat(10)}\r\n`,
    );
  });

  it('counts each secret once a line, and by its rule', () => {
    const channel = redactor();
    for (const part of [
      ...typed(`mysql -p${secret}`),
      '\b \b',
      '\r\n',
      `again ${secret.slice(0, -1)}\r\n`,
      'TOKEN=abc123def\r\n',
    ])
      channel.output(0, 'stdout', Buffer.from(part));

    expect(channel.counts).toEqual({ 'mysql-password': 1, repeated: 1, assignment: 1 });
  });

  it('stays within its bounds on a line without an end, and finds what stands across its cuts', () => {
    const channel = redactor(0);
    const filler = 'x'.repeat(40_000);
    let text = '';
    for (let round = 0; round < 40; round += 1) {
      text += textOf(
        channel.output(
          round,
          'stdout',
          Buffer.from(`${filler.slice(round * 777)} --password=${secret}${round} `),
        ),
      );
      expect(channel.heldBytes).toBeLessThan(49 * 1024);
    }
    text += textOf(channel.flush());

    expect(text).not.toContain(secret);
    expect(text.match(/--password=\*{11,12} /g)).toHaveLength(40);
  });

  it('stays within its bounds on a sequence without an end', () => {
    const channel = redactor();
    for (const opening of [`${esc}]0;`, `${esc}[`, `${esc}P`, `${esc}_`]) {
      let length = 0;
      channel.output(0, 'stdout', Buffer.from(opening));
      for (let round = 0; round < 100; round += 1) {
        length += textOf(channel.output(round, 'stdout', Buffer.alloc(10_000, '1'))).length;
        expect(channel.heldBytes).toBeLessThan(49 * 1024);
      }
      expect(length).toBeGreaterThan(900_000);
    }
    expect(
      textOf([
        ...channel.output(0, 'stdout', Buffer.from(`${esc}\\\r\nTOKEN=${secret}\r\n`)),
        ...channel.flush(),
      ]),
    ).not.toContain(secret);
  });

  it('stays within its bounds on events without an end', () => {
    const channel = redactor();
    let given = channel.output(0, 'stdout', Buffer.from('mysql -p')).length;
    for (let round = 0; round < 10_000; round += 1) given += channel.event(round, 'x').length;

    expect(given).toBeGreaterThan(5000);
  });

  it('gives out what was put in where there is no secret, however it is cut', () => {
    const pieces = [
      'a',
      ' ',
      '\r',
      '\n',
      '\r\n',
      '\b',
      '\t',
      '漢',
      'é',
      esc,
      `${esc}[A`,
      `${esc}[3D`,
      `${esc}[K`,
      `${esc}[5;5H`,
      `${esc}]0;t\u0007`,
      `${esc}[2@`,
      `${esc}[2P`,
      `${esc}[3b`,
      `${esc}7`,
      `${esc}8`,
      '\u009b',
      '\u009d',
      'x'.repeat(90),
    ];
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.constantFrom(...pieces)).map((parts) => parts.join(''))),
        fc.integer({ min: 0, max: 100 }),
        (parts, columns) => {
          expect(shown(parts, columns)).toBe(parts.join(''));
        },
      ),
    );
  });

  it('takes any bytes, and gives them out where it finds nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 64 })),
        fc.integer({ min: 0, max: 100 }),
        (parts, columns) => {
          const channel = redactor(columns);
          const given = parts.flatMap((part, atMs) =>
            [...channel.output(atMs, 'stdout', part), ...channel.tick(atMs * 700)].map((one) =>
              one.kind === 'output' ? Buffer.from(one.data) : Buffer.alloc(0),
            ),
          );
          given.push(
            ...channel
              .flush()
              .map((one) => (one.kind === 'output' ? Buffer.from(one.data) : Buffer.alloc(0))),
          );

          expect(Buffer.concat(given)).toEqual(Buffer.concat(parts));
        },
      ),
    );
  });

  it('does not hold on to memory of the caller', () => {
    const channel = redactor();
    const buffer = Buffer.from('stdout waits');
    channel.output(0, 'stdout', buffer);
    buffer.fill(0);
    const other = Buffer.from('whole line\n');
    channel.output(0, 'stderr', other);
    other.fill(0);

    expect(textOf(channel.flush())).toBe('stdout waitswhole line\n');
  });
});
