/** What a terminal holds back: the part of an escape sequence that has begun and not ended. */
export type SequenceTracker = {
  write(text: string): void;
  /** '' between sequences. Of a string (OSC, DCS, APC, PM, SOS) over the bound, its beginning. */
  unfinished(): string;
};

type State = 'ground' | 'escape' | 'csi' | 'osc' | 'string';

const maxHeld = 4096;
/** The C1 controls that begin a string which BEL does not end: DCS SOS PM APC. */
const stringIntroducers = '\u0090\u0098\u009e\u009f';
/** All that begin a sequence. */
const introducers = `\u001b\u009b\u009d${stringIntroducers}`;

/** Follows the states of ECMA-48 and vt100.net's DEC ANSI parser as far as telling inside from outside needs. */
export function createSequenceTracker(): SequenceTracker {
  let state: State = 'ground';
  let held = '';
  const begin = (next: State, char: string): void => {
    state = next;
    held = char;
  };
  const hold = (char: string): void => {
    if (held.length < maxHeld) held += char;
  };
  const finish = (): void => {
    state = 'ground';
    held = '';
  };
  const step = (char: string): void => {
    const code = char.charCodeAt(0);
    if (code === 0x1b) begin('escape', char);
    else if (code === 0x18 || code === 0x1a) finish();
    else if (code >= 0x80 && code <= 0x9f) {
      if (code === 0x9b) begin('csi', char);
      else if (code === 0x9d) begin('osc', char);
      else if (stringIntroducers.includes(char)) begin('string', char);
      else finish();
    } else if (state === 'ground') return;
    else if (state === 'osc' && code === 0x07) finish();
    else if (state === 'osc' || state === 'string') hold(char);
    else if (code < 0x20 || code === 0x7f) return;
    else if (code >= 0xa0) finish();
    else if (state === 'csi') {
      if (char < '@') hold(char);
      else finish();
    } else if (held.length === 1 && char === '[') {
      state = 'csi';
      hold(char);
    } else if (held.length === 1 && (char === ']' || 'PX^_'.includes(char))) {
      state = char === ']' ? 'osc' : 'string';
      hold(char);
    } else if (char <= '/') hold(char);
    else finish();
  };
  return {
    write(text) {
      // Whatever was begun ends where the last sequence begins.
      const last = lastIntroducer(text);
      if (last >= 0) finish();
      else if (state === 'ground') return;
      for (let at = Math.max(0, last); at < text.length; at += 1) {
        step(text.charAt(at));
        if (state === 'ground') return;
      }
    },
    unfinished: () => held,
  };
}

function lastIntroducer(text: string): number {
  return Math.max(...Array.from(introducers, (introducer) => text.lastIndexOf(introducer)));
}
