import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSequenceTracker } from '../../../core/recording/index.ts';
import { createTerminalState, type EmulatedTerminal } from '../../../core/replay/index.ts';

const columns = 20;
const rows = 6;

function shown(text: string): EmulatedTerminal {
  const state = createTerminalState(columns, rows);
  state.write(Buffer.from(text));
  return state;
}

/** Characters with their colours and flags, and the cursor. */
function screenOf({ terminal }: EmulatedTerminal): unknown {
  const { active } = terminal.buffer;
  const lines: string[] = [];
  for (let y = 0; y < terminal.rows; y += 1) {
    const line = active.getLine(active.baseY + y);
    const cells: string[] = [];
    for (let x = 0; x < terminal.cols; x += 1) {
      const cell = line?.getCell(x);
      if (cell === undefined) continue;
      const text = cell.getChars() === '' ? ' ' : cell.getChars();
      const style = [cell.getFgColorMode(), cell.getFgColor(), cell.getBgColorMode(), cell.getBgColor()];
      const plain = style.join() === '0,-1,0,-1' && cell.isBold() === 0;
      cells.push(plain ? text : `<${text} ${style.join()},${cell.isBold()}>`);
    }
    lines.push(cells.join('').trimEnd());
  }
  return { type: active.type, x: active.cursorX, y: active.cursorY, lines };
}

const drawing = fc.constantFrom(
  'hello',
  'x',
  '\r\n',
  '\n',
  'wide 漢字',
  'é\u0301',
  '\t',
  '\b',
  '\u001b[31m',
  '\u001b[1;44m',
  '\u001b[38;2;1;2;3m',
  '\u001b[0m',
  '\u001b[H',
  '\u001b[3;7H',
  '\u001b[2J',
  '\u001b[K',
  '\u001b[J',
  '\u001b[2;4r',
  '\u001b[r',
  '\u001b[2L',
  '\u001b[M',
  '\u001b[S',
  '\u001b[T',
  '\u001bM',
  '\u001bD',
  '\u001b7',
  '\u001b8',
  '\u001b[?25l',
  '\u001b[?25h',
  '\u001b(0',
  '\u001b(B',
  'lqk',
  '\u001b[4h',
  '\u001b[4l',
  '\u001b[?7l',
  '\u001b[?7h',
  '\u001b[?1049h',
  '\u001b[?1049l',
  '\u001b]0;title\u0007',
);

describe('a snapshot', () => {
  it.each([
    ['text and colours', '\u001b[31mred\u001b[0m plain\r\nnext'],
    ['a scroll region', 'a\r\nb\r\nc\r\nd\u001b[2;3r\u001b[3;1H'],
    ['line drawing', '\u001b(0lqk'],
    ['the saved cursor', 'abc\u001b7\r\n\r\ndef'],
    ['the alternate screen', 'main\u001b[?1049h\u001b[Hfull screen'],
    ['insert mode', 'abcdef\r\u001b[4h'],
    ['characters of G1', '\u001b)0\u000elqk'],
    ['origin mode', '\u001b[2;4r\u001b[?6hx'],
  ])('keeps %s for what comes after', (_name, before) => {
    const after = 'q\r\nxyz\n\n\u001b8!\u001b[?1049lz';
    const first = shown(before);
    const second = createTerminalState(columns, rows);

    second.write(Buffer.from(first.snapshot()));

    expect(screenOf(second)).toEqual(screenOf(first));
    for (const state of [first, second]) state.write(Buffer.from(after));
    expect(screenOf(second)).toEqual(screenOf(first));
  });

  it('of a recording cut anywhere, also inside a sequence, draws the screen there', () => {
    fc.assert(
      fc.property(fc.array(drawing, { maxLength: 30 }), fc.nat(), (parts, at) => {
        const text = parts.join('');
        const cut = text.length === 0 ? 0 : at % text.length;
        const tracker = createSequenceTracker();
        const first = shown(text.slice(0, cut));
        tracker.write(text.slice(0, cut));

        const second = shown(first.snapshot() + tracker.unfinished());

        expect(screenOf(second)).toEqual(screenOf(first));
      }),
      { numRuns: 150 },
    );
  });

  it('goes on as the screen there would have', () => {
    // Left out: a snapshot has no style and character set for a saved cursor, and a mark that combines with the character before the cut.
    const others = new Set(['é\u0301', '\u001b(0', '\u001b(B', '\u001b7', '\u001b8']);
    const part = drawing.filter((each) => !others.has(each));
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), fc.array(part, { maxLength: 10 }), (before, after) => {
        const first = shown(before.join(''));
        const second = shown(first.snapshot());

        for (const state of [first, second]) state.write(Buffer.from(after.join('')));

        expect(screenOf(second)).toEqual(screenOf(first));
      }),
      { numRuns: 150 },
    );
  });
});

describe('the terminal', () => {
  it.each(['S', 'T', 'L', 'M', 'I', 'Z', 'b'])('does not work through a count of 2^31 before %s', (final) => {
    const state = shown(`text\u001b[2147483647${final}more`);

    expect(state.snapshot()).toContain('more');
  });

  it('stays within the sides a recording may have', () => {
    const state = createTerminalState(65_535, 65_535);

    state.resize(1_000_000, 0);

    expect(state.terminal.cols).toBeLessThanOrEqual(1000);
    expect(state.terminal.rows).toBe(24);
  });

  it('takes any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const state = createTerminalState(columns, rows);

        state.write(bytes);

        expect(typeof state.snapshot()).toBe('string');
      }),
    );
  });
});
