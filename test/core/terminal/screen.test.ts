import { describe, expect, it } from 'vitest';
import { createScreen, type Screen } from '../../../core/terminal/screen.ts';

const noHooks = {
  bracketedPaste: () => undefined,
  alternate: () => undefined,
  lineFeed: () => undefined,
  shellSays: () => undefined,
  reset: () => undefined,
};

function screenOf(output = '', columns = 20, rows = 5): Screen {
  const screen = createScreen({ columns, rows }, noHooks);
  screen.write(output);
  return screen;
}

describe('a screen', () => {
  it('shows output at once', () => {
    const screen = screenOf('ab\r\n漢c');

    expect(screen.text(0).trimEnd()).toBe('ab');
    expect(screen.text(1).trimEnd()).toBe('漢c');
    expect(screen.cursor()).toEqual({ row: 1, column: 3 });
  });

  it('knows the column behind characters that are two cells wide', () => {
    const screen = screenOf('漢字x');

    expect([1, 2, 3].map((length) => screen.columnAfter(0, length))).toEqual([2, 4, 5]);
  });

  it('leaves out what is drawn faint or grey', () => {
    const screen = screenOf('ls\x1b[38;5;240m -la\x1b[0m x\x1b[2my\x1b[0m\x1b[90mz');

    expect(screen.textWithoutFaint(0, 2).trimEnd()).toBe('     x');
  });

  it('keeps a mark with its row, and tells when the row is gone', () => {
    const screen = screenOf('here');
    const mark = screen.mark();

    screen.write('\r\n'.repeat(100));
    expect(mark.row()).toBe(0);
    screen.write('\r\n'.repeat(1000));
    expect(mark.row()).toBeUndefined();
  });

  it('has sizes that are possible, whatever it is told', () => {
    const screen = screenOf();
    for (const [columns, rows] of [
      [65_535, 65_535],
      [0, 0],
      [1, 1],
      [-5, 3],
      [Number.NaN, 2.5],
      [0xffffffff, 1],
    ])
      screen.resize(columns ?? 0, rows ?? 0);

    expect(screen.columns).toBeGreaterThanOrEqual(2);
    expect(screen.columns).toBeLessThanOrEqual(512);
    expect(screen.rows).toBeLessThanOrEqual(256);
  });
});

describe('hostile output', () => {
  it.each([
    'b',
    '@',
    'L',
    'M',
    'P',
    'S',
    'T',
    'X',
    'I',
    'Z',
    'A',
    'B',
    'C',
    'D',
    'E',
    'F',
    'G',
    'd',
    'J',
    'K',
    'r',
    't',
    'm',
  ])('asks for CSI 2147483647 %s, and is answered in no time and no memory', (final) => {
    const screen = screenOf('x');

    for (let times = 0; times < 50; times += 1) screen.write(`x\x1b[2147483647${final}`);

    expect(screen.lastRow).toBeLessThan(1000);
  });

  it('piles combining characters up in no cell', () => {
    const screen = screenOf('a');

    screen.write('\u0301'.repeat(100_000));

    const longest = Math.max(
      ...Array.from({ length: screen.lastRow + 1 }, (_, row) => screen.text(row).length),
    );
    expect(longest).toBeLessThanOrEqual(20 * 17);
  });

  it('sets titles and links that are not kept', () => {
    const screen = screenOf();
    const title = 'T'.repeat(100_000);

    for (let times = 0; times < 50; times += 1)
      screen.write(
        `\x1b]0;${title}${times}\x07\x1b[22;0t\x1b]8;;http://192.0.2.1/${title}${times}\x07x\x1b]8;;\x07\r`,
      );

    expect(screen.snapshot().length).toBeLessThan(10_000);
  });

  it('never ends a sequence', () => {
    const screen = screenOf();

    for (const start of [
      '\x1b',
      '\x1b[',
      '\x1b]',
      '\x1bP',
      '\x1b_',
      '\x1b]133;',
      '\x1b]633;E;',
      '\x1b[1;'.repeat(1000),
    ])
      screen.write(start + 'q1;'.repeat(20_000));

    expect(screen.snapshot().length).toBeLessThan(10_000);
  });
});
