import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openTerminal } from '#core/terminal';
import { bash, runInBash, typeEchoed, watchTerminal } from './watched-terminal.ts';

describe('a command', () => {
  it('is told with its text, prompt, confidence and place in the recording', () => {
    const watched = watchTerminal({ startedAtMs: 1000 });
    runInBash(watched, 'ls -la', 'total 0\r\n');
    watched.wait(1100);

    expect(watched.commands).toEqual([
      {
        number: 1,
        atMs: 1014,
        offsetMs: 14,
        text: 'ls -la',
        kind: 'command',
        confidence: 'high',
        prompt: 'alice@web:~$ ',
      },
    ]);
  });

  it('is read from the screen where keys do not tell it', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);
    watched.type('\x1b[A');
    watched.out('rm -rf /srv');
    watched.type('\r');
    watched.out(bash.accepted);

    expect(watched.finish()).toEqual(['rm -rf /srv']);
  });

  it('is told once more when the rest of it comes after it was told', () => {
    const watched = watchTerminal();
    runInBash(watched, 'cat <<EOF');
    watched.wait(11_000);
    watched.out('\x1b[?2004h> ');
    typeEchoed(watched, 'EOF');
    watched.type('\r');
    watched.out(bash.accepted);
    watched.finish();

    expect(watched.commands.map(({ text }) => text)).toEqual(['cat <<EOF']);
    expect(watched.amended).toEqual([{ number: 1, text: 'cat <<EOF\nEOF', aborted: false }]);
  });

  it('that was interrupted did not run', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);
    typeEchoed(watched, 'rm -rf /');
    watched.type('\x03');
    watched.out(`^C${bash.accepted}`);

    expect(watched.finish()).toEqual([]);
  });

  it('of a shell with integration is exact where the shell proves that it is the one who tells', () => {
    const watched = watchTerminal({ nonce: 'n0nce' });
    watched.out(bash.prompt);
    watched.type('l\r');
    watched.out('l');
    watched.out(`\x1b]633;E;ls \\x3b pwd;n0nce\x07${bash.accepted}`);
    watched.finish();

    expect(watched.commands).toMatchObject([{ text: 'ls ; pwd', confidence: 'exact' }]);
  });

  it('cannot be forged by a program that prints what a shell with integration would', () => {
    const watched = watchTerminal({ nonce: 'n0nce' });
    watched.out(bash.prompt);
    typeEchoed(watched, 'cat trap');
    watched.type('\r');
    watched.out(`\x1b]633;E;ls;wrong\x07${bash.accepted}\x1b]633;E;reboot;wrong\x07\x1b]133;C\x07`);

    expect(watched.finish()).toEqual(['cat trap']);
  });

  it('is told although the shell answers its accept key late', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);
    watched.type('id');
    watched.wait(300);
    watched.type('\r');
    watched.out('id');
    watched.wait(700);
    watched.out(bash.accepted);

    expect(watched.finish()).toEqual(['id']);
  });
});

describe('what was typed and not shown', () => {
  it('is told as hidden, with the prompt and without the keys', () => {
    const watched = watchTerminal();
    runInBash(watched, 'sudo id', '[sudo] password for alice: ');
    watched.type('hunter2');
    watched.type('\r');
    watched.out('\r\nuid=0(root)\r\n');
    watched.finish();

    expect(watched.hidden).toMatchObject([{ prompt: '[sudo] password for alice: ' }]);
    expect(JSON.stringify([watched.commands, watched.amended, watched.hidden])).not.toContain('hunter2');
  });

  it('is hidden too where each key is shown as a star', () => {
    const watched = watchTerminal();
    runInBash(watched, 'sudo id', 'Password: ');
    for (const key of 'hunter2') {
      watched.type(key);
      watched.out('*');
    }
    watched.type('\r');
    watched.out('\r\n');
    watched.finish();

    expect(watched.hidden).toHaveLength(1);
    expect(watched.commands).toHaveLength(1);
  });

  it('is not told where it was typed before the program turned the echo off', () => {
    const watched = watchTerminal();
    runInBash(watched, 'login');
    typeEchoed(watched, 'hunter2');
    watched.type('\r');
    watched.out('\r\nPassword: ');
    watched.type('hunter2');
    watched.type('\r');
    watched.out('\r\n');
    runInBash(watched, 'true');

    expect(watched.finish()).toEqual(['login', 'true']);
    expect(JSON.stringify(watched.hidden)).not.toContain('hunter2');
  });

  it('stays hidden however the prompt, the keys and the answer are cut', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Za-z0-9!@#]{6,12}$/),
        fc.constantFrom('Password: ', '[sudo] password for bob: ', 'PIN> ', '$ ', ''),
        fc.array(fc.nat(20), { maxLength: 4 }),
        (secret, prompt, cuts) => {
          const watched = watchTerminal();
          runInBash(watched, 'prog', prompt);
          for (const part of pieces(secret, cuts)) watched.type(part);
          watched.type('\r');
          watched.out('\r\nwelcome\r\n');
          runInBash(watched, 'true');
          watched.finish();

          expect(JSON.stringify([watched.commands, watched.amended, watched.hidden])).not.toContain(secret);
        },
      ),
    );
  });
});

describe('the line that would run', () => {
  it('is nothing where nobody types', () => {
    expect(watchTerminal().terminal.readPendingLine()).toMatchObject({ text: '', state: 'none' });
  });

  it('is what the shell shows, wherever the cursor is', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);
    typeEchoed(watched, 'rm -rf /');
    watched.type('\x01');
    watched.out('\b'.repeat(8));

    expect(watched.terminal.readPendingLine()).toMatchObject({
      text: 'rm -rf /',
      prompt: 'alice@web:~$ ',
      state: 'editing',
      confidence: 'high',
    });
  });

  it('is of low confidence while keys are not echoed yet', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);
    watched.type('reboot');

    expect(watched.terminal.readPendingLine()).toMatchObject({ confidence: 'low' });
  });

  it('is what a search found', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);
    watched.type('\x12');
    watched.out("\r\x1b[K(reverse-i-search)`': ");
    watched.type('rm');
    watched.out("\b\b\brm': rm -rf /srv");

    expect(watched.terminal.readPendingLine()).toMatchObject({ text: 'rm -rf /srv', confidence: 'medium' });
  });

  it('is not trusted where what was searched for imitates the display', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);
    watched.type('\x12');
    watched.out("\r\x1b[K(reverse-i-search)`x': ls': reboot # x': ls");

    expect(watched.terminal.readPendingLine()).toMatchObject({ confidence: 'low' });
    expect(watched.terminal.readPendingLine().text).toContain('reboot');
  });

  it('has the lines of the same command that were accepted before', () => {
    const watched = watchTerminal();
    runInBash(watched, 'for h in a b; do');
    watched.out('\x1b[?2004h> ');
    typeEchoed(watched, 'reboot $h');

    expect(watched.terminal.readPendingLine().text).toBe('for h in a b; do\nreboot $h');
  });

  it('shows the rows under a cursor that was moved up in a command of several lines', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);
    watched.type('\x1b[A');
    watched.out('echo fine\r\nreboot\x1b[A\r');

    expect(watched.terminal.readPendingLine().below).toBe('reboot');
  });

  it('is the whole of it where a row of it imitates the prompt', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);
    watched.type('\x1b[A');
    watched.out("reboot; : '\r\nalice@web:~$ ls'");

    const pending = watched.terminal.readPendingLine();

    expect(pending.text).toContain('reboot');
    expect(pending.confidence).toBe('low');
  });

  it('is known in a shell that leaves editing to the kernel', () => {
    const watched = watchTerminal();
    watched.out('# ');
    typeEchoed(watched, 'reboot');

    expect(watched.terminal.readPendingLine()).toMatchObject({
      text: 'reboot',
      prompt: '# ',
      state: 'cooked',
    });
    expect(watched.terminal.findAcceptKeys(Buffer.from('\x04'))).toEqual([0]);
  });

  it('says whether all that was typed is on the screen', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);
    watched.type('rm');
    const sent = watched.terminal.readPendingLine();
    watched.out('r');
    const half = watched.terminal.readPendingLine();
    watched.out('m');
    const shown = watched.terminal.readPendingLine();
    watched.type('\t');
    const completing = watched.terminal.readPendingLine();

    expect([sent, half, shown, completing].map(({ echoed }) => echoed)).toEqual([false, false, true, false]);
    expect([sent, shown, completing].map(({ typed }) => typed)).toEqual(['rm', 'rm', undefined]);
  });

  it('gives away no key that a program asked for without showing it', () => {
    const watched = watchTerminal();
    runInBash(watched, 'sudo id', 'Password: ');
    watched.type('secret');
    const pending = watched.terminal.readPendingLine();
    const late = watchTerminal();
    late.out('$ ');
    late.type('reboot');

    expect(pending).toMatchObject({ text: '', typed: undefined, echoed: false, state: 'cooked' });
    expect(late.terminal.readPendingLine()).toMatchObject({ text: '', typed: 'reboot', state: 'cooked' });
  });

  it('belongs to the program on an alternate screen', () => {
    const watched = watchTerminal();
    runInBash(watched, 'vim x', '\x1b[?1049h');
    typeEchoed(watched, 'ireboot');

    expect(watched.terminal.readPendingLine()).toMatchObject({ text: '', state: 'alt' });
  });

  it('has a paste with line feeds in it as one command, accepted by the key behind it', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);

    expect(watched.terminal.findAcceptKeys(Buffer.from('\x1b[200~a\rb\x1b[201~\r'))).toEqual([15]);
  });

  it('is accepted by each line feed of a paste once the shell does not mark pastes any more', () => {
    const watched = watchTerminal();
    runInBash(watched, 'dash', '$ ');

    expect(watched.terminal.findAcceptKeys(Buffer.from('\x1b[200~a\rb\x1b[201~\r'))).toEqual([7, 15]);
  });
});

describe('what recordings and search take', () => {
  it('is a snapshot that restores the screen', () => {
    const one = watchTerminal({ columns: 40, rows: 5 });
    one.out('\x1b[31mred\x1b[0m plain\r\n漢字\x1b[3;7Hhere');
    const snapshot = one.terminal.snapshot();
    const other = watchTerminal({ columns: 40, rows: 5 });
    other.out(snapshot);

    expect(other.terminal.screenText()).toBe(one.terminal.screenText());
    expect(other.terminal.snapshot()).toBe(snapshot);
  });

  it('is each row that a line feed ended, with wrapped ones joined', () => {
    const watched = watchTerminal({ columns: 10, rows: 4 });
    watched.out('one\r\n0123456789abc\r\n\x1b[31mtw\x1b[0mo\r\n');

    expect(watched.rows).toEqual(['one', '0123456789abc', 'two']);
  });

  it('says how much went by unread when output comes in bulk, and shows its end', () => {
    const watched = watchTerminal();
    runInBash(watched, 'seq 1 200000');
    for (let line = 0; line < 200_000; line += 1000)
      watched.out(Array.from({ length: 1000 }, (_, at) => `${line + at}\r\n`).join(''));
    watched.wait(100);

    expect(watched.skipped.length).toBeGreaterThan(0);
    expect(watched.terminal.screenText()).toContain('199999');
    runInBash(watched, 'echo after');
    expect(watched.finish()).toEqual(['seq 1 200000', 'echo after']);
  });
});

describe('hostile terminals', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('output'), data: hostileBytes() }),
    fc.record({ kind: fc.constant('input'), data: hostileBytes() }),
    fc.record({ kind: fc.constant('resize'), data: fc.constant(new Uint8Array()) }),
    fc.record({ kind: fc.constant('wait'), data: fc.constant(new Uint8Array()) }),
  );

  it('make no call throw', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer(), (steps, size) => {
        const terminal = openTerminal({
          columns: 12,
          rows: 4,
          listener: {
            onCommand: () => undefined,
            onAmend: () => undefined,
            onHiddenInput: () => undefined,
            onRow: () => undefined,
          },
        });
        for (const [at, { kind, data }] of steps.entries()) {
          const atMs = at * 40;
          if (kind === 'output') terminal.output(data, atMs);
          else if (kind === 'input') {
            terminal.findAcceptKeys(data);
            terminal.input(data, atMs);
          } else if (kind === 'resize') terminal.resize(size, at, atMs);
          else terminal.tick(atMs + 2000);
          terminal.readPendingLine();
        }
        terminal.snapshot();
        terminal.screenText();
        terminal.finish(1e6);
        terminal.close();
      }),
      { numRuns: 300 },
    );
  });

  it('keep memory bounded with ten megabytes and no line feed, in any state', () => {
    for (const start of ['', bash.prompt, '\x1b[?1049h']) {
      const watched = watchTerminal({ columns: 65_535, rows: 65_535 });
      watched.out(start);
      for (let part = 0; part < 160; part += 1) watched.out('x'.repeat(64 * 1024));

      expect(watched.terminal.screenText().length).toBeLessThanOrEqual(512 * 256 + 256);
      watched.finish();
    }
  });

  it('cannot make lines, queues or commands grow without end', () => {
    const watched = watchTerminal();
    watched.out(bash.prompt);
    watched.type('y'.repeat(1_000_000));
    watched.type('\r'.repeat(10_000));
    watched.out('z'.repeat(1_000_000));
    for (let times = 0; times < 1000; times += 1) watched.out(bash.accepted + bash.prompt);
    watched.finish();

    expect(Math.max(0, ...watched.commands.map(({ text }) => text.length))).toBeLessThanOrEqual(64 * 1024);
  });
});

describe('chunks', () => {
  it('may be cut anywhere: the commands are the same', () => {
    const session: readonly (readonly ['in' | 'out', string])[] = [
      ['out', bash.prompt],
      ['in', 'ls 漢字'],
      ['out', 'ls 漢字'],
      ['in', '\r'],
      ['out', `${bash.accepted}\x1b[31mfile\x1b[0m\r\n${bash.prompt}`],
      ['in', '\x1b[A\x1b[200~ | wc\x1b[201~'],
      ['out', 'ls 漢字 | wc'],
      ['in', '\r'],
      ['out', `${bash.accepted}1\r\n\x1b[?2004halice@web:~$ `],
    ];
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 30 }), (cuts) => {
        const watched = watchTerminal();
        for (const [direction, data] of session)
          for (const piece of pieces(Buffer.from(data), cuts))
            if (direction === 'out') watched.terminal.output(piece, 0);
            else watched.terminal.input(piece, 0);

        expect(watched.finish()).toEqual(['ls 漢字', 'ls 漢字 | wc']);
      }),
    );
  });
});

function hostileBytes(): fc.Arbitrary<Uint8Array> {
  const part = fc.constantFrom(
    '\x1b[?2004h',
    '\x1b[?2004l',
    '\x1b[?1049h',
    '\x1b[?1049l',
    '\x1b]133;B\x07',
    '\x1b]133;C\x07',
    '\x1b]633;E;x;y\x07',
    '\x1bc',
    '\r',
    '\n',
    '\r\n',
    '$ ',
    '> ',
    'ls',
    '漢',
    '\x7f',
    '\x03',
    '\x12',
    '\x1b[A',
    '\x1b[200~',
    '\x1b[201~',
    '\x1b[2J',
    '\x1b[H',
    '│',
    '\x18\x05',
    '\x1b[999C',
    '\x1b[;5r',
    '*',
  );
  return fc.oneof(
    fc.array(part, { maxLength: 20 }).map((parts) => Uint8Array.from(Buffer.from(parts.join('')))),
    fc.uint8Array({ maxLength: 200 }),
  );
}

function pieces<Data extends string | Uint8Array>(data: Data, cuts: readonly number[]): Data[];
function pieces(data: string | Uint8Array, cuts: readonly number[]): (string | Uint8Array)[] {
  const parts: (string | Uint8Array)[] = [];
  let rest = data;
  for (const cut of cuts) {
    if (rest.length === 0) break;
    const at = Math.min(rest.length, cut + 1);
    parts.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...parts, ...(rest.length > 0 ? [rest] : [])];
}
