import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CastEvent, OpenedRecording } from '../../../core/recording/index.ts';
import { exportText, type RenderedText, renderedText, searchRows } from '../../../core/replay/index.ts';
import { recorded } from '../../support/segmented-recording.ts';

type Step = readonly [seconds: number, output: string];

function opened(steps: readonly Step[], screen = ''): OpenedRecording {
  async function* events(): AsyncGenerator<CastEvent, void, undefined> {
    for (const [time, data] of steps)
      yield /^\d+x\d+$/.test(data) ? { time, code: 'r', data } : { time, code: 'o', data, stream: 'stdout' };
  }
  return { snapshot: { baseMs: 0, columns: 20, rows: 4, screen }, events: events() };
}

async function rendered(steps: readonly Step[], screen?: string): Promise<readonly RenderedText[]> {
  return Array.fromAsync(renderedText(opened(steps, screen)));
}

async function linesOf(steps: readonly Step[]): Promise<readonly string[]> {
  return (await rendered(steps)).flatMap((text) => (text.kind === 'line' ? [text.text] : text.lines));
}

describe('rendered text', () => {
  it('is the lines as they stood when they scrolled off, in order, and the rest at the end', async () => {
    const steps: readonly Step[] = [1, 2, 3, 4, 5, 6].map((n) => [n, `line ${n}\r\n`] as const);

    expect(await linesOf(steps)).toEqual(['line 1', 'line 2', 'line 3', 'line 4', 'line 5', 'line 6']);
  });

  it('has a line as it was edited, without what was erased', async () => {
    expect(await linesOf([[1, '$ rm -rf /\b\b\b\b\b\b\b\bls\u001b[K\r\n']])).toEqual(['$ ls']);
  });

  it('has a word whole that was coloured letter by letter', async () => {
    expect(await linesOf([[1, '\u001b[39mg\u001b[39me\u001b[39ms\u001b[0mheim']])).toEqual(['gesheim']);
  });

  it('joins the rows of a line that wraps', async () => {
    expect(await linesOf([[1, `${'a'.repeat(30)}\r\nnext`]])).toEqual(['a'.repeat(30), 'next']);
  });

  it.each([
    ['clear', '\u001b[H\u001b[2J'],
    ['clear with an erase to the end', '\u001b[H\u001b[J'],
    ['clear with its scrollback', '\u001b[H\u001b[2J\u001b[3J'],
    ['reset', '\u001bc'],
  ])('has what %s removed', async (_name, sequence) => {
    expect(
      await linesOf([
        [1, 'secret plan\r\n'],
        [2, sequence],
        [3, 'innocent'],
      ]),
    ).toEqual(['secret plan', 'innocent']);
  });

  it('has the screens of a full-screen program, looked at while it runs and when it is left', async () => {
    const texts = await rendered([
      [1, 'before\r\n\u001b[?1049h\u001b[2J\u001b[Hone'],
      [15, '\u001b[Htwo'],
      [16, '\u001b[Hsix\u001b[?1049l'],
      [17, 'after'],
    ]);

    expect(texts).toEqual([
      { kind: 'screen', seconds: 1, lines: ['one'] },
      { kind: 'screen', seconds: 15, lines: ['six'] },
      { kind: 'line', seconds: 17, text: 'before' },
      { kind: 'line', seconds: 17, text: 'after' },
    ]);
  });

  it('says when a line was last to be seen', async () => {
    const texts = await rendered([
      [1, 'one\r\n'],
      [5, 'two\r\n'],
      [100, '\n\n\n'],
    ]);

    expect(texts.slice(0, 2)).toEqual([
      { kind: 'line', seconds: 5, text: 'one' },
      { kind: 'line', seconds: 5, text: 'two' },
    ]);
  });

  it('loses nothing when one event has more lines than fit above the screen', async () => {
    const all = Array.from({ length: 20_000 }, (_, n) => `line ${n}`);

    expect(await linesOf([[1, all.join('\r\n')]])).toEqual(all);
  });

  it('goes on over a resize', async () => {
    const lines = await linesOf([
      [1, 'one\r\ntwo\r\nthree\r\n'],
      [2, '30x2'],
      [3, 'four\r\nfive'],
      [4, '10x10'],
    ]);

    expect(lines).toEqual(['one', 'two', 'three', 'four', 'five']);
  });

  it('begins with the screen a recording is opened with', async () => {
    const texts = await rendered([[31, 'after\r\n']], 'shown\r\n');

    expect(texts.map((text) => (text.kind === 'line' ? text.text : ''))).toEqual(['shown', 'after']);
  });

  it('stops at its limit and says so', async () => {
    const texts = renderedText(opened([[1, 'x\r\n'.repeat(100)]]), { maxLines: 10, maxLineLength: 100 });

    let given = 0;
    let next = await texts.next();
    while (next.done !== true) {
      given += 1;
      next = await texts.next();
    }

    expect(given).toBe(10);
    expect(next.value).toBe('cut');
  });

  it('takes any output, cut anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'binary', maxLength: 60 }), { maxLength: 8 }),
        async (outputs) => {
          const texts = await rendered(outputs.map((output, n) => [n, `\u001b${output}`] as const));

          for (const text of texts) expect(text.seconds).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('the text of a recording', () => {
  it('has screens between rules with their time, and no sequence', async () => {
    const recording = opened([
      [3700, '\u001b[31mred\u001b[0m\r\n\u001b[?1049h\u001b[Hfull \u202e\u2028screen'],
      [3701, '\u001b[?1049l'],
    ]);

    const text = (await Array.fromAsync(exportText(recording))).join('');

    expect(text).toBe('--- screen at 1:01:40 ---\n| full \ufffd\ufffdscreen\n--- end of screen ---\nred\n');
  });
});

describe('rows for a search', () => {
  it('name their recording, and leave out what a screen showed before', async () => {
    const { manifest } = await recorded([]);
    const recording = opened([
      [1, '$ top\r\n\u001b[?1049h\u001b[Hheader\r\nload 1'],
      [20, '\u001b[2;1Hload 2'],
      [40, '\u001b[?1049l'],
    ]);

    const rows = await Array.fromAsync(searchRows(manifest, recording));

    expect(rows.map(({ seconds, text }) => [seconds, text])).toEqual([
      [1, 'header'],
      [1, 'load 1'],
      [20, 'load 2'],
      [40, '$ top'],
    ]);
    expect(rows[0]).toMatchObject({ sessionId: manifest.sessionId, recordingId: manifest.recordingId });
  });
});
