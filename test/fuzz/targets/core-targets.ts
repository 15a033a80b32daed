import { verifyLine } from '#core/chain';
import { createPlaybackFilter, parseManifest, RecordingError } from '#core/recording';
import { parseCastLine } from '../../../core/recording/cast-line.ts';
import { createUtf8Stream } from '../../../core/recording/utf8-stream.ts';
import { transferCommandOf } from '../../../core/transfer/index.ts';
import { parseLoginName } from '../../../proxy-task/login/login-name.ts';
import { expectThat, type FuzzTarget, parserTarget } from '../fuzz-target.ts';

/** ESC, and the introducers: what acts on a terminal, which a regular expression names by its code alone. */
const escape = String.fromCharCode(0x1b);
const enquiry = String.fromCharCode(0x05);
const acting = new RegExp(`${escape}(?:[P\\]X^_]|\\[[0-9;?>= $]*[cnpqtx])|[\\u0080-\\u009f${enquiry}]`);

/** The rest of what takes bytes from strangers: names they type, commands they run, what their programs print. */
export const coreTargets: readonly FuzzTarget[] = [
  parserTarget({
    name: 'login-name',
    about: 'LOGIN@TARGET as it was typed',
    starts: () => [Buffer.from('root@web-1'), Buffer.from('a@b@c')],
    tokens: ['@', '.', '-', '\0', '\n', '/'],
    family: [],
    parse: (input) => parseLoginName(input.toString('utf8')),
    expect(name) {
      if (name.kind === 'jump') expectThat(/^[\w.$-]{1,64}$/.test(name.user), 'a user is no account name');
      if (name.kind !== 'login-at-target') return;
      expectThat(/^[\w.$-]{1,64}$/.test(name.login), 'a login is no account name');
      expectThat(/^[a-z0-9._-]{1,128}$/.test(name.target), 'a target is no name');
    },
  }),
  parserTarget({
    name: 'transfer-command',
    about: 'commands of scp, rsync, git and sftp',
    starts: () =>
      [
        'scp -t /tmp',
        'scp -r -f x',
        'rsync --server --sender -e.L . /x',
        "git-upload-pack 'a'",
        'sftp-server',
      ].map((text) => Buffer.from(text)),
    tokens: [';', '|', '`', '$(', '\n', '&&', "'", '"', '\\', ' -t ', '>'],
    family: [],
    parse: (input) => transferCommandOf(input.toString('utf8')),
    expect(transfer, input) {
      const unquoted = input.toString('utf8').replace(/\\[^\n]|'[^'\n]*'|"(?:[^"\\$`\n]|\\[^\n])*"/g, '');
      if (transfer !== undefined)
        expectThat(!/[;|&`$<>\n\r()]/.test(unquoted), 'a transfer can be more than one');
    },
  }),
  parserTarget({
    name: 'utf8-stream',
    about: 'output in pieces that cut characters; the first byte says how long they are',
    starts: () => [
      Buffer.from('\u0003plain, ümläut, 漢字, 🙂'),
      Buffer.from([1, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf5, 0x80]),
    ],
    tokens: ['\xf0\x9f', '\xe2\x82', '\xed\xa0\x80', '\xf4\x90\x80\x80'],
    family: [],
    parse(input) {
      const stream = createUtf8Stream();
      const size = Math.max(1, input[0] ?? 1);
      let text = '';
      for (let at = 1; at < input.length; at += size)
        text += stream.decode(input.subarray(at, at + size)).text;
      return text + stream.end().text;
    },
    expect(text, input) {
      const whole = new TextDecoder('utf-8', { ignoreBOM: true }).decode(input.subarray(1));
      expectThat(text === whole, 'text in pieces is not the text as a whole');
    },
  }),
  parserTarget({
    name: 'playback-filter',
    about: 'recorded output on its way to an auditor’s terminal',
    starts: () =>
      [
        '\u001b[31mred\u001b[0m\r\n',
        '\u001b]0;title\u0007',
        '\u001bP+q544e\u001b\\',
        '\u001b[6n',
        '\u009b?1049h',
      ].map((text) => Buffer.from(text)),
    tokens: ['\x1b[', '\x1b]', '\x1bP', '\x1b\\', '\x07', 'c', '\xc2\x9b', '?1049h', '6n'],
    family: [],
    parse(input) {
      const filter = createPlaybackFilter();
      const text = input.toString('utf8');
      const middle = text.length >> 1;
      return filter.write(text.slice(0, middle)) + filter.write(text.slice(middle)) + filter.end();
    },
    expect(text) {
      // What makes a terminal answer, or takes a string: DA, DSR, DECRQM and the like, OSC, DCS, APC, PM, SOS. A soft reset draws.
      expectThat(!acting.test(text), 'a sequence that acts came through');
    },
  }),
  parserTarget({
    name: 'cast-line',
    about: 'lines of an asciicast file',
    starts: () =>
      [
        '{"version":3,"term":{"cols":80,"rows":24}}',
        '[0.5,"o","text"]',
        '[1,"r","80x24"]',
        '# a comment',
      ].map((text) => Buffer.from(text)),
    tokens: ['[', ']', '"o"', '1e999', '-1', 'null', '\\u0000'],
    family: [RecordingError],
    parse: (input) => parseCastLine(input, input.length > 0 && input[0] === 0x7b ? 1 : 2),
  }),
  parserTarget({
    name: 'recording-manifest',
    about: 'the manifest of a recording',
    starts: () => [Buffer.from('{"version":1}')],
    tokens: ['"', '{', '}', '[', ']', ':', 'null', '1e999'],
    family: [RecordingError],
    parse: (input) => parseManifest(input),
  }),
  parserTarget({
    name: 'record-line',
    about: 'a line of the audit chain',
    starts: () => [Buffer.from('{"additionalEventData":{"chainHash":"0"},"eventName":"x"}')],
    tokens: ['"', '{', '}', ':', '"__proto__"', '\\u0000', '1e999'],
    family: [],
    parse: (input) => verifyLine(input),
    expect: (verified) => expectThat(!verified.ok, 'a line that was not written by a journal is verified'),
  }),
];
