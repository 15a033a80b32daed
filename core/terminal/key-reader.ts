/** What one key, or a run of printable ones, does to a line being edited. */
export type Key =
  | { readonly kind: 'text'; readonly text: string }
  /** Carriage return, line feed, or Ctrl-O, which readline and zsh accept a line with. */
  | { readonly kind: 'accept'; readonly byte: number }
  | { readonly kind: 'erase' | 'kill-line' | 'kill-word' | 'interrupt' | 'end-of-file' | 'external-editor' }
  /** Arrows, Tab, search, yank: the line cannot be told from the keys any more. */
  | { readonly kind: 'other' };

/**
 * Turns the bytes of a client into keys, cut anywhere. What a terminal answers by itself (cursor reports, device attributes,
 * focus, mouse) is no key.
 */
export type KeyReader = {
  read(bytes: Uint8Array, emit: (key: Key) => void): void;
  /**
   * Where in the bytes a line would be accepted, without reading them. Ctrl-D is among them where the caller says that a
   * kernel edits the line: there it hands over what was typed, and a second one makes the shell run it.
   */
  acceptKeys(bytes: Uint8Array, options: { readonly endOfFileAccepts: boolean }): readonly number[];
  /** Whether carriage returns are text now, being part of a paste. */
  readonly pasting: boolean;
  /** The program that asked for marked pastes has gone, or will not be the one to read what follows. */
  leavePaste(): void;
};

/** A sequence longer than this is none that a terminal sends. */
const maxSequenceBytes = 64;
/** Replies with a string in them (colours, device names) are longer. */
const maxReplyBytes = 4096;

type State = {
  mode: 'ground' | 'escape' | 'csi' | 'ss3' | 'string' | 'mouse' | 'prefix';
  sequence: string;
  length: number;
  pasting: boolean;
};

/** `pasteMarked` says whether the program that reads now has asked for pastes to be marked: only then is a mark one. */
export function createKeyReader(pasteMarked: () => boolean): KeyReader {
  const decoder = new TextDecoder();
  const state: State = initialState();
  const read = (bytes: Uint8Array, emit: (key: Key) => void): void => {
    let textStart = -1;
    const flush = (end: number): void => {
      if (textStart < 0) return;
      const text = decoder.decode(bytes.subarray(textStart, end), { stream: true });
      textStart = -1;
      if (text !== '') emit({ kind: 'text', text });
    };
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (isText(state, byte)) {
        if (textStart < 0) textStart = at;
        continue;
      }
      flush(at);
      const key = step(state, byte, pasteMarked);
      if (key !== undefined) emit(key);
    }
    flush(bytes.length);
  };
  return {
    read,
    acceptKeys(bytes, { endOfFileAccepts }) {
      const ahead = { ...state };
      const found: number[] = [];
      // What follows an accept key may be read by another program, which need not know marked pastes.
      const marked = (): boolean => found.length === 0 && pasteMarked();
      for (const [at, byte] of bytes.entries()) {
        const key = isText(ahead, byte) ? undefined : step(ahead, byte, marked);
        if (key?.kind === 'accept' || (endOfFileAccepts && key?.kind === 'end-of-file')) found.push(at);
      }
      return found;
    },
    get pasting() {
      return state.pasting;
    },
    leavePaste() {
      state.pasting = false;
    },
  };
}

function initialState(): State {
  return { mode: 'ground', sequence: '', length: 0, pasting: false };
}

function isText(state: State, byte: number): boolean {
  return state.mode === 'ground' && byte >= 0x20 && byte !== 0x7f;
}

function step(state: State, byte: number, pasteMarked: () => boolean): Key | undefined {
  // Whatever the sequence, programs that do not know it accept the line at these.
  if (byte === 0x0d || byte === 0x0a) {
    state.mode = 'ground';
    return state.pasting ? { kind: 'text', text: '\n' } : { kind: 'accept', byte };
  }
  switch (state.mode) {
    case 'ground':
      return control(state, byte);
    case 'prefix':
      state.mode = 'ground';
      return byte === 0x05 ? { kind: 'external-editor' } : { kind: 'other' };
    case 'escape':
      return afterEscape(state, byte);
    case 'ss3':
      state.mode = 'ground';
      return { kind: 'other' };
    case 'csi':
      return sequenceByte(state, byte, pasteMarked);
    case 'mouse':
      state.length -= 1;
      if (state.length === 0) state.mode = 'ground';
      return undefined;
    case 'string':
      return stringByte(state, byte);
  }
}

function control(state: State, byte: number): Key | undefined {
  switch (byte) {
    case 0x1b:
      state.mode = 'escape';
      return undefined;
    case 0x03:
      state.pasting = false;
      return { kind: 'interrupt' };
    case 0x04:
      return { kind: 'end-of-file' };
    case 0x08:
    case 0x7f:
      return { kind: 'erase' };
    case 0x0f:
      return state.pasting ? { kind: 'other' } : { kind: 'accept', byte };
    case 0x15:
      return { kind: 'kill-line' };
    case 0x17:
      return { kind: 'kill-word' };
    case 0x18:
      state.mode = 'prefix';
      return undefined;
    default:
      return state.pasting && byte === 0x09 ? { kind: 'text', text: '\t' } : { kind: 'other' };
  }
}

function afterEscape(state: State, byte: number): Key | undefined {
  state.sequence = '';
  state.length = 0;
  if (byte === 0x1b) return { kind: 'other' };
  if (byte === 0x5b) state.mode = 'csi';
  else if (byte === 0x4f) state.mode = 'ss3';
  else if (byte === 0x5d || byte === 0x50) {
    state.mode = 'string';
    state.sequence = String.fromCharCode(byte);
  } else {
    state.mode = 'ground';
    if (byte === 0x03 || byte === 0x04) return control(state, byte);
    return { kind: 'other' };
  }
  return undefined;
}

function sequenceByte(state: State, byte: number, pasteMarked: () => boolean): Key | undefined {
  if (byte === 0x1b) {
    state.mode = 'escape';
    return { kind: 'other' };
  }
  if (byte < 0x20 || byte === 0x7f) {
    state.mode = 'ground';
    return control(state, byte) ?? { kind: 'other' };
  }
  state.sequence += String.fromCharCode(byte);
  if (byte < 0x40 && state.sequence.length < maxSequenceBytes) return undefined;
  state.mode = 'ground';
  const { sequence } = state;
  if (sequence === '200~') {
    state.pasting = pasteMarked();
    return state.pasting ? undefined : { kind: 'other' };
  }
  if (sequence === '201~') {
    state.pasting = false;
    return undefined;
  }
  if (sequence === 'M') {
    state.mode = 'mouse';
    state.length = 3;
    return undefined;
  }
  return isReply(sequence) ? undefined : { kind: 'other' };
}

/** CPR, DSR, DA1, DA2, DA3, DECRPM, window reports, focus, SGR mouse, keyboard flags (ctlseqs, "Functions using CSI"). */
function isReply(sequence: string): boolean {
  return /^(?:\??\d+;\d+(?:;\d+)?R|[?>=][\d;]*c|\??[\d;]*n|[?\d;]*\$y|[\d;]+t|[IO]|<[\d;]+[Mm]|\?\d*u)$/.test(
    sequence,
  );
}

function stringByte(state: State, byte: number): Key | undefined {
  state.length += 1;
  const ended = byte === 0x07 || (byte === 0x5c && state.sequence.endsWith('\x1b'));
  if (ended) {
    state.mode = 'ground';
    return undefined;
  }
  state.sequence = byte === 0x1b ? '\x1b' : '';
  // A terminal's answer holds no controls: this was Alt-] or Alt-P and then typing.
  if (state.length <= maxReplyBytes && (byte >= 0x20 || byte === 0x1b) && byte !== 0x7f) return undefined;
  state.mode = 'ground';
  return { kind: 'other' };
}
