/**
 * Makes recorded output safe for the terminal of whoever plays it. A recorded program may have written sequences that make
 * a terminal answer (and so type into the auditor's shell), set the clipboard, resize windows, or lock the keyboard. Only
 * what draws is let through, as whole sequences this filter parsed itself; everything else, and every string (OSC, DCS,
 * APC, PM, SOS), is left out. Sequences: ECMA-48; xterm ctlseqs; parser after vt100.net's DEC ANSI parser.
 */
export type PlaybackFilter = {
  write(text: string): string;
  /** Puts the terminal back: main screen, visible cursor, plain text, whole scroll region. */
  end(): string;
};

type State = 'ground' | 'escape' | 'escape-intermediate' | 'csi' | 'csi-ignore' | 'osc' | 'string';

/** A string longer than this is shown instead of left out, so that an unended one cannot hide the rest of a session. */
const maxStringLength = 1024 * 1024;
const maxSequenceLength = 64;
const printable = /[\u0020-\u007e\u00a0-\uffff]+/y;
/** BEL BS HT LF VT FF CR SO SI. ENQ (answerback) and the others are not drawn. */
const drawingC0 = '\u0007\b\t\n\v\f\r\u000e\u000f';
/** DECSC DECRC IND NEL HTS RI. */
const drawingEscape = /^[78DEHM]$/;
/** Character sets ASCII, line drawing, UK for G0 and G1; line size and DECALN. */
const drawingEscapeWithIntermediate = /^(?:[()][0AB]|#[34568])$/;
/** Wrap, reverse video, cursor, alternate screens, save cursor. No mouse, focus, paste, key or size mode. */
const drawingModes = new Set(['5', '7', '25', '47', '1047', '1048', '1049']);
const alternateScreens = new Set(['47', '1047', '1049']);

export function createPlaybackFilter(): PlaybackFilter {
  let state: State = 'ground';
  let sequence = '';
  let stringLength = 0;
  let onAlternateScreen = false;

  const begin = (next: State): string => {
    state = next;
    sequence = '';
    stringLength = 0;
    return '';
  };
  const finish = (text: string): string => {
    state = 'ground';
    return text;
  };
  const controlC1 = (code: number): string => {
    if (code === 0x9b) return begin('csi');
    if (code === 0x9d) return begin('osc');
    if (code === 0x90 || code === 0x98 || code === 0x9e || code === 0x9f) return begin('string');
    return finish(escapeSequence('', String.fromCharCode(code - 0x40)));
  };
  const escape = (char: string): string => {
    if (char === '[') return begin('csi');
    if (char === ']') return begin('osc');
    if (char === 'P' || char === 'X' || char === '^' || char === '_') return begin('string');
    if (char >= ' ' && char <= '/') {
      sequence += char;
      state = 'escape-intermediate';
      return sequence.length > maxSequenceLength ? finish('') : '';
    }
    return finish(escapeSequence(sequence, char));
  };
  const csi = (char: string): string => {
    if (char < '@') {
      if (sequence.length >= maxSequenceLength) state = 'csi-ignore';
      sequence += state === 'csi' ? char : '';
      return '';
    }
    if (state === 'csi-ignore') return finish('');
    const drawn = controlSequence(sequence, char);
    const switched = /\[\?([0-9;]+)([hl])$/.exec(drawn);
    if (switched?.[1]?.split(';').some((mode) => alternateScreens.has(mode)))
      onAlternateScreen = switched[2] === 'h';
    return finish(drawn);
  };
  const step = (char: string): string => {
    const code = char.charCodeAt(0);
    if (code === 0x1b) return begin('escape');
    if (code === 0x18 || code === 0x1a) return finish('');
    if (code >= 0x80 && code <= 0x9f) return controlC1(code);
    if (state === 'osc' || state === 'string') {
      stringLength += 1;
      return stringLength > maxStringLength || (state === 'osc' && code === 0x07) ? finish('') : '';
    }
    if (code < 0x20) return drawingC0.includes(char) ? char : '';
    if (code === 0x7f) return '';
    if (state === 'ground') return char;
    if (code >= 0xa0) return finish(char);
    return state === 'csi' || state === 'csi-ignore' ? csi(char) : escape(char);
  };
  const write = (text: string): string => {
    let shown = '';
    let at = 0;
    while (at < text.length) {
      if (state === 'ground') {
        printable.lastIndex = at;
        const run = printable.exec(text)?.[0] ?? '';
        shown += run;
        at += run.length;
        if (at >= text.length) break;
      }
      shown += step(text.charAt(at));
      at += 1;
    }
    return shown;
  };
  const end = (): string => {
    const left = onAlternateScreen ? '\u001b[?1049l' : '';
    state = 'ground';
    onAlternateScreen = false;
    return `${left}\u001b7\u001b[r\u001b8\u001b[4l\u001b[?5l\u001b[?7h\u001b[?25h\u000f\u001b(B\u001b[0m`;
  };
  return { write, end };
}

function escapeSequence(intermediates: string, final: string): string {
  if (intermediates === '' && drawingEscape.test(final)) return `\u001b${final}`;
  if (drawingEscapeWithIntermediate.test(intermediates + final)) return `\u001b${intermediates}${final}`;
  // RIS would also drop the reader's own scrollback and settings: a soft reset and an empty screen show the same.
  return intermediates === '' && final === 'c' ? '\u001b[!p\u001b[2J\u001b[H' : '';
}

function controlSequence(body: string, final: string): string {
  if (body === '!' && final === 'p') return '\u001b[!p';
  if (body.startsWith('?')) return privateMode(body.slice(1), final);
  if (!/^[0-9:;]*$/.test(body)) return '';
  const numbers = body.split(/[:;]/).map(Number);
  const whole = `\u001b[${body}${final}`;
  if (numbers.some((number) => number > 65535)) return '';
  if ('ABCDEFGHILMPSXZ`adefgmr@'.includes(final)) return whole;
  switch (final) {
    // Erases; 3J is the reader's scrollback.
    case 'J':
    case 'K':
      return numbers.every((number) => number <= 2) ? whole : '';
    // With five parameters xterm starts mouse tracking.
    case 'T':
      return numbers.length === 1 ? whole : '';
    // Repeats a character.
    case 'b':
      return numbers.every((number) => number <= 4096) ? whole : '';
    case 's':
    case 'u':
      return body === '' ? whole : '';
    // Insert mode. 2 locks the keyboard, 12 echoes, 20 changes what Enter sends.
    case 'h':
    case 'l':
      return body === '4' ? whole : '';
    default:
      return '';
  }
}

function privateMode(body: string, final: string): string {
  if ((final === 'J' || final === 'K') && /^[0-2]?$/.test(body)) return `\u001b[?${body}${final}`;
  if (final !== 'h' && final !== 'l') return '';
  const modes = body.split(';').filter((mode) => drawingModes.has(mode));
  return modes.length === 0 ? '' : `\u001b[?${modes.join(';')}${final}`;
}
