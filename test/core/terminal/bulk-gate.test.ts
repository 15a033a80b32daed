import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBulkGate } from '../../../core/terminal/bulk-gate.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (released: { readonly bytes: Uint8Array } | undefined): string =>
  Buffer.from(released?.bytes ?? []).toString();

describe('a bulk gate', () => {
  it('gives back what it took while that is little', () => {
    const gate = createBulkGate();
    gate.take(bytes('one\ntwo'));

    expect(gate.waiting).toBe(true);
    expect(gate.release()).toEqual({ bytes: Uint8Array.from(bytes('one\ntwo')), skipped: 0 });
    expect(gate.release()).toBeUndefined();
  });

  it('keeps the end of much, from the start of a line, with colours reset', () => {
    const gate = createBulkGate();
    for (let line = 0; line < 20_000; line += 1) gate.take(bytes(`line ${line}\r\n`));

    const released = gate.release();

    expect(released?.bytes.length).toBeLessThanOrEqual(64 * 1024 + 8);
    expect(text(released).startsWith('\x1b\\\x1b[0mline ')).toBe(true);
    expect(text(released).endsWith('line 19999\r\n')).toBe(true);
    expect((released?.skipped ?? 0) + (released?.bytes.length ?? 0) - 6).toBe(
      Array.from({ length: 20_000 }, (_, line) => `line ${line}\r\n`.length).reduce(
        (sum, length) => sum + length,
        0,
      ),
    );
  });

  it.each([
    ['paste marking', '\x1b[?2004h'],
    ['its end', '\x1b[?2004l'],
    ['the alternate screen', '\x1b[?1049h'],
    ['an old alternate screen', '\x1b[?47h'],
    ['several modes at once', '\x1b[?25;2004h'],
    ['a scroll region', '\x1b[2;10r'],
    ['the whole scroll region', '\x1b[r'],
    ['origin mode', '\x1b[?6h'],
    ['insert mode', '\x1b[4h'],
    ['line drawing', '\x1b(0'],
    ['shift out', '\x0e'],
    ['shift in', '\x0f'],
    ['a reset', '\x1bc'],
    ['a soft reset', '\x1b[!p'],
    ['the mark of a prompt', '\x1b]133;A\x07'],
    ['a told command', '\x1b]633;E;ls\x07'],
  ])('stops at %s', (_, sequence) => {
    const gate = createBulkGate();

    expect(gate.take(bytes(`plain \x1b[31mred\x1b[0m${sequence}rest`))).toBe(18);
  });

  it.each(['\x1b[31m', '\x1b[?25l', '\x1b[2K', '\x1b(B', '\x1b[10;5H', '\x1b]0;title\x07', '\x1b7'])(
    'passes over %j, which changes nothing for later',
    (sequence) => {
      const chunk = bytes(`a${sequence}b`);

      expect(createBulkGate().take(chunk)).toBe(chunk.length);
    },
  );

  it('sees a sequence wherever it is cut', () => {
    const sequence = 'x\x1b[?2004l';
    for (let cut = 2; cut < sequence.length; cut += 1) {
      const gate = createBulkGate();
      gate.take(bytes(sequence.slice(0, cut)));

      const end = gate.take(bytes(`${sequence.slice(cut)}y`));

      expect(end).toBe(0);
      expect(text(gate.release())).toBe(sequence.slice(0, cut));
    }
  });

  it('takes any bytes, cut anywhere, and keeps a bounded part of them', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 30 }), (chunks) => {
        const gate = createBulkGate();
        for (const chunk of chunks) {
          const end = gate.take(chunk);
          expect(end).toBeLessThanOrEqual(chunk.length);
          if (end < chunk.length) gate.release();
        }
        expect(gate.release()?.bytes.length ?? 0).toBeLessThanOrEqual(64 * 1024 + 8);
      }),
    );
  });
});
