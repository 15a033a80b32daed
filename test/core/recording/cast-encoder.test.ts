import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CastInput, createCastEncoder } from '../../../core/recording/index.ts';

const header = { startedAtMs: 1_700_000_000_900, columns: 80, rows: 24, term: 'xterm-256color' };

function output(text: string, stream: 'stdout' | 'stderr' = 'stdout'): CastInput {
  return { code: 'o', stream, data: Buffer.from(text) };
}

describe('createCastEncoder', () => {
  it('begins with a header of version 3 that states the terminal and the second of the start', () => {
    const encoder = createCastEncoder({ ...header, command: 'uptime' });

    expect(encoder.header.endsWith('\n')).toBe(true);
    expect(JSON.parse(encoder.header)).toEqual({
      version: 3,
      term: { cols: 80, rows: 24, type: 'xterm-256color' },
      timestamp: 1_700_000_000,
      command: 'uptime',
    });
  });

  it('writes one event a line, each with the seconds since the one before', () => {
    const encoder = createCastEncoder(header);

    const lines = [
      encoder.encode(248, output('Hello\r\n')),
      encoder.encode(1249, { code: 'm', label: 'uptime' }),
      encoder.encode(4749.4, { code: 'r', columns: 90, rows: 30 }),
      encoder.encode(4750, { code: 'x', status: 2 }),
    ];

    expect(lines).toEqual([
      '[0.248, "o", "Hello\\r\\n"]\n',
      '[1.001, "m", "uptime"]\n',
      '[3.500, "r", "90x30"]\n',
      '[0.001, "x", "2"]\n',
    ]);
  });

  it('adds up to the last time without drift, and never goes back', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { minLength: 1 }), (times) => {
        const encoder = createCastEncoder(header);

        const intervals = times.map((time) => Number(JSON.parse(encoder.encode(time, output('x')))[0]));

        expect(intervals.every((interval) => interval >= 0)).toBe(true);
        const sumMs = intervals.reduce((sum, interval) => sum + Math.round(interval * 1000), 0);
        expect(sumMs).toBe(Math.round(Math.max(...times)));
        expect(encoder.lastTimeMs).toBe(sumMs);
      }),
    );
  });

  it('joins a character that arrives in two pieces, though the other stream speaks in between', () => {
    const encoder = createCastEncoder(header);
    const euro = Buffer.from('€');

    const lines = [
      encoder.encode(0, { code: 'o', stream: 'stdout', data: euro.subarray(0, 2) }),
      encoder.encode(1, output('warning', 'stderr')),
      encoder.encode(2, { code: 'o', stream: 'stdout', data: euro.subarray(2) }),
    ];

    expect(lines).toEqual(['', '# stderr\n[0.001, "o", "warning"]\n', '[0.001, "o", "€"]\n']);
    expect(encoder.invalidBytes).toBe(0);
  });

  it('shows what is not UTF-8 as U+FFFD, says how many bytes, and keeps nothing back at the end', () => {
    const encoder = createCastEncoder(header);

    const lines =
      encoder.encode(0, { code: 'o', stream: 'stdout', data: Buffer.from([0xff, 0x41, 0xe2, 0x82]) }) +
      encoder.end(7);

    expect(lines).toBe(
      '# invalid-bytes 1\n[0.000, "o", "\ufffdA"]\n# invalid-bytes 2\n[0.007, "o", "\ufffd"]\n',
    );
    expect(encoder.invalidBytes).toBe(3);
    expect(encoder.end(8)).toBe('');
  });

  it('says where recording stopped, for people and for programs', () => {
    const encoder = createCastEncoder(header);

    expect(encoder.encode(0, { code: 'truncated', afterBytes: 4096 })).toBe(
      '# truncated\n[0.000, "m", "recording stopped after 4096 bytes"]\n',
    );
  });

  it('lets no size, terminal name, command or label grow or break the lines', () => {
    const encoder = createCastEncoder({
      startedAtMs: 0,
      columns: 4_294_967_295,
      rows: 0,
      term: `xterm\u001b]0;x\u0007\n${'y'.repeat(1000)}`,
      command: `\ud800${'c'.repeat(100_000)}`,
    });
    const label = encoder.encode(0, { code: 'm', label: `\n# stderr\n${'l'.repeat(100_000)}` });

    const parsed = JSON.parse(encoder.header);
    expect(parsed.term).toMatchObject({ cols: 1000, rows: 24 });
    expect(parsed.term.type).toMatch(/^[\x21-\x7e]{64}$/);
    expect(parsed.command.length).toBe(4096);
    expect(encoder.header.split('\n')).toHaveLength(2);
    expect(label.split('\n')).toHaveLength(2);
    expect(label.length).toBeLessThan(5000);
    expect(encoder.encode(0, { code: 'r', columns: 0, rows: 10 })).toBe('');
    expect(encoder.encode(0, { code: 'r', columns: 1e9, rows: 1e9 })).toContain('"1000x1000"');
  });
});
