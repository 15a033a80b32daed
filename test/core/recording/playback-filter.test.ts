import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPlaybackFilter } from '../../../core/recording/index.ts';

const esc = '\u001b';

function filtered(...parts: readonly string[]): string {
  const filter = createPlaybackFilter();
  return parts.map((part) => filter.write(part)).join('');
}

/** Everything the filter may give out: text, drawing controls, and whole sequences from a closed list. */
const harmless = new RegExp(
  [
    '[\\u0020-\\u007e\\u00a0-\\uffff\\u0007-\\u000f]',
    `${esc}[78DEHM]`,
    `${esc}[()][0AB]`,
    `${esc}#[34568]`,
    `${esc}\\[!p`,
    `${esc}\\[\\?(?:5|7|25|47|1047|1048|1049)(?:;(?:5|7|25|47|1047|1048|1049))*[hl]`,
    `${esc}\\[\\?[0-2]?[JK]`,
    `${esc}\\[4[hl]`,
    `${esc}\\[[su]`,
    `${esc}\\[[0-9:;]*[A-MPSTXZ\`abdefgmr@]`,
  ]
    .map((part) => `(?:${part})`)
    .join('|'),
  'y',
);

function expectHarmless(shown: string): void {
  harmless.lastIndex = 0;
  while (harmless.lastIndex < shown.length) {
    const at = harmless.lastIndex;
    if (!harmless.test(shown))
      throw new Error(`not harmless at ${at}: ${JSON.stringify(shown.slice(at, at + 40))}`);
  }
}

describe('createPlaybackFilter', () => {
  it.each([
    ['colours', `${esc}[1;38;2;10;20;30mred${esc}[0m`],
    ['colours with colons', `${esc}[38:2::10:20:30mred`],
    ['cursor movement and erasing', `${esc}[2J${esc}[H${esc}[10;20Hx${esc}[K${esc}[3A`],
    ['alternate screen and hidden cursor', `${esc}[?1049h${esc}[?25l~${esc}[?25h${esc}[?1049l`],
    ['line drawing', `${esc}(0lqk${esc}(B\u000e\u000f`],
    ['scroll region, insert mode, saved cursor', `${esc}[2;20r${esc}[4h${esc}7${esc}8${esc}M`],
    ['text of all scripts', 'grüße 漢字 😀 e\u0301\r\n\t\b\u0007'],
  ])('lets %s through', (_name, text) => {
    expect(filtered(text)).toBe(text);
  });

  it.each([
    ['device attributes', `${esc}[c${esc}[0c${esc}[>c${esc}[=c${esc}Z`],
    ['status and cursor position reports', `${esc}[5n${esc}[6n${esc}[?6n${esc}[?15n${esc}[?996n`],
    ['answerback', '\u0005'],
    ['clipboard writing and reading', `${esc}]52;c;cm0gLXJmIH4=\u0007${esc}]52;c;?${esc}\\`],
    [
      'colour changes and queries',
      `${esc}]4;1;?\u0007${esc}]10;?\u0007${esc}]11;#000000\u0007${esc}]104\u0007`,
    ],
    [
      'titles, working folder, notifications',
      `${esc}]0;x\u0007${esc}]2;x\u0007${esc}]7;file://h/\u0007${esc}]9;hi\u0007`,
    ],
    [
      'links and shell marks',
      `${esc}]8;;https://example.com\u0007${esc}]133;A\u0007${esc}]1337;File=:AAAA\u0007`,
    ],
    ['window operations and title reports', `${esc}[21t${esc}[8;999;999t${esc}[2t${esc}[14t${esc}[22;0t`],
    ['requests for settings (DECRQSS, XTGETTCAP)', `${esc}P$q"p${esc}\\${esc}P+q544e${esc}\\`],
    ['key definitions (DECUDK) and sixel', `${esc}P0;1|17/726d${esc}\\${esc}Pq#0;2;0;0;0~-${esc}\\`],
    ['mode requests and terminal parameters', `${esc}[?2026$p${esc}[4$p${esc}[x${esc}[1x${esc}["p${esc}[>q`],
    ['mouse, focus and paste reports', `${esc}[?1000h${esc}[?1003h${esc}[?1006h${esc}[?1004h${esc}[?2004h`],
    ['mouse highlight tracking', `${esc}[1;1;1;1;10T`],
    ['cursor key, keypad and kitty key modes', `${esc}[?1h${esc}=${esc}>${esc}[>1u${esc}[=1u${esc}[>4;2m`],
    ['keyboard lock, local echo, new-line mode', `${esc}[2h${esc}[12l${esc}[20h`],
    ['132 columns, margins, synchronised output', `${esc}[?3h${esc}[?40h${esc}[?69h${esc}[?2026h`],
    ['leaving UTF-8', `${esc}%@${esc}%G`],
    ['printing', `${esc}[5i${esc}[?5i`],
    ['erasing the scrollback', `${esc}[3J${esc}[?3J`],
    ['cursor shape', `${esc}[5 q`],
    ['saved and restored modes', `${esc}[?1049s${esc}[?1049r`],
    ['memory lock', `${esc}l${esc}m`],
    [
      'kitty graphics, privacy messages, start of string',
      `${esc}_Ga=T;AAAA${esc}\\${esc}^x${esc}\\${esc}Xy${esc}\\`,
    ],
    ['a checksum of the screen', `${esc}[1;1;1;1;10;10*y`],
    ['a character repeated without bound', `${esc}[999999999b`],
    ['8-bit forms of all of them', '\u009b6n\u009b>c\u009d52;c;AAAA\u009c\u0090$qm\u009c\u009fGx\u009c'],
  ])('leaves out %s', (_name, text) => {
    expect(filtered(text)).toBe('');
    expect(filtered(...text.split(''))).toBe('');
  });

  it('keeps the harmless modes of a sequence that mixes them', () => {
    expect(filtered(`${esc}[?25;1000;1049h`)).toBe(`${esc}[?25;1049h`);
  });

  it('shows an emptied screen for a full reset, which would take the reader’s scrollback', () => {
    expect(filtered(`${esc}c`)).toBe(`${esc}[!p${esc}[2J${esc}[H`);
  });

  it('hides nothing behind a string that does not end', () => {
    expect(filtered(`${esc}]0;${'x'.repeat(10)}${esc}[31mseen`)).toBe(`${esc}[31mseen`);
    expect(filtered(`${esc}P${'x'.repeat(1024 * 1024)}`, 'x', 'seen')).toBe('seen');
  });

  it('parses a tmux passthrough and drops what is inside', () => {
    expect(filtered(`${esc}Ptmux;${esc}${esc}]52;c;AAAA\u0007${esc}\\ok`)).toBe('ok');
  });

  it('treats control bytes inside a sequence as terminals do', () => {
    expect(filtered(`${esc}[3\r1mx`)).toBe(`\r${esc}[31mx`);
    expect(filtered(`${esc}[3\u00181mx`)).toBe('1mx');
    expect(filtered(`${esc}[6${esc}[6nx`)).toBe('x');
  });

  it('gives out only whole harmless sequences, whatever it is fed and wherever that is cut', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        esc,
        `${esc}[`,
        `${esc}]`,
        `${esc}P`,
        '\u009b',
        '\u0090',
        '?',
        '>',
        '$',
        ';',
        '6',
        '25',
        '1049',
      ),
      fc.constantFrom(
        'n',
        'c',
        'h',
        'l',
        't',
        'p',
        'q',
        'm',
        'J',
        'T',
        'b',
        'u',
        's',
        '\u0007',
        `${esc}\\`,
        ' ',
        '5',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (parts) => {
        const shown = filtered(...parts);

        expectHarmless(shown);
        expect(filtered(parts.join(''))).toBe(shown);
        expect(filtered(shown)).toBe(shown);
      }),
      { numRuns: 500 },
    );
  });

  it('puts the terminal back at the end, leaving the alternate screen only where it is on it', () => {
    const filter = createPlaybackFilter();
    filter.write(`${esc}[?1049h${esc}]0;unfinished`);

    const first = filter.end();
    const second = filter.end();

    expect(first.startsWith(`${esc}[?1049l`)).toBe(true);
    expect(second).toBe(first.slice(`${esc}[?1049l`.length));
    expect(second).toContain(`${esc}[?25h`);
    expect(filter.write('shown')).toBe('shown');
  });
});
