import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { parseExchangeLine, readExchange } from '#core/terminal';

describe('a line of a recorded exchange', () => {
  test.each([
    ['a header', '{"type":"header","cols":80,"rows":24}', { kind: 'header', columns: 80, rows: 24 }],
    ['input', '{"t":1.5,"k":"i","d":"l"}', { kind: 'input', atMs: 1500, bytes: Buffer.from('l') }],
    [
      'output in base64',
      '{"t":2,"k":"o","b64":"4w=="}',
      { kind: 'output', atMs: 2000, bytes: Buffer.from([0xe3]) },
    ],
    [
      'a resize',
      '{"t":3,"k":"r","cols":100,"rows":30}',
      { kind: 'resize', atMs: 3000, columns: 100, rows: 30 },
    ],
  ])('may be %s', (_, line, event) => {
    expect(parseExchangeLine(line)).toEqual(event);
  });

  test.each([
    '',
    '[]',
    'null',
    '{"t":"1","k":"i","d":"x"}',
    '{"t":1,"k":"q","d":"x"}',
    '{"t":1,"k":"i"}',
    '{"t":1,"k":"r","cols":"9"}',
    '{"type":"header"}',
  ])('is none where it is %j', (line) => {
    expect(parseExchangeLine(line)).toBeUndefined();
  });

  it('is judged without a fault, whatever it is', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (line) => void parseExchangeLine(line)));
  });
});

it('leaves commands out that were interrupted after they were told, and has others as they were amended', () => {
  const reading = readExchange({ maxCommands: 10 });
  const send = (atMs: number, kind: 'input' | 'output', text: string): void =>
    reading.event({ kind, atMs, bytes: Buffer.from(text) });
  reading.event({ kind: 'header', columns: 80, rows: 24 });
  send(0, 'output', '\x1b[?2004hme:~$ ');
  send(10, 'input', 'for i in 1; do');
  send(20, 'output', 'for i in 1; do');
  send(30, 'input', '\r');
  send(40, 'output', '\r\n\x1b[?2004l\r\x1b[?2004h> ');
  send(15_000, 'input', '\x03');
  send(15_010, 'output', '^C\r\n\x1b[?2004l\r\x1b[?2004hme:~$ ');

  expect(reading.finish().commands).toEqual([]);
});
