/**
 * Keeps output that nobody is typing at out of the emulator: while much comes, only the end of it is kept, and given to the
 * emulator once it pauses. What would change how later output is read (modes, regions, character sets, the shell's marks) ends
 * the skipping.
 */
export type BulkGate = {
  /** How much output came since the last key, as a reason to skip. */
  readonly waiting: boolean;
  /** Takes output in. Returns where the rest begins that must be emulated after `release`, or the length when all was taken. */
  take(bytes: Uint8Array): number;
  /** What must be given to the emulator now, oldest first, and how many bytes before it never will be. */
  release(): { readonly bytes: Uint8Array; readonly skipped: number } | undefined;
};

/** Enough to fill any screen that is emulated in full with text. */
const keptBytes = 32 * 1024;
const carryBytes = 20;
const nothing = new Uint8Array(0);
const restore = Buffer.from('\x1b\\\x1b[0m');

export function createBulkGate(): BulkGate {
  let kept: Uint8Array = nothing;
  let keptLength = 0;
  let skipped = 0;
  let carry: Uint8Array = nothing;
  const keep = (bytes: Uint8Array): void => {
    if (kept.length === 0) kept = new Uint8Array(2 * keptBytes);
    if (bytes.length >= keptBytes) {
      skipped += keptLength + bytes.length - keptBytes;
      kept.set(bytes.subarray(bytes.length - keptBytes));
      keptLength = keptBytes;
      return;
    }
    if (keptLength + bytes.length > kept.length) {
      skipped += keptLength - keptBytes;
      kept.copyWithin(0, keptLength - keptBytes, keptLength);
      keptLength = keptBytes;
    }
    kept.set(bytes, keptLength);
    keptLength += bytes.length;
  };
  return {
    get waiting() {
      return keptLength > 0;
    },
    take(bytes) {
      const end = firstMeaning(carry, bytes);
      const taken = bytes.subarray(0, end);
      keep(taken);
      if (end === bytes.length) carry = unfinished(carry, bytes);
      return end;
    },
    release() {
      if (keptLength === 0) return undefined;
      const from = skipped === 0 ? 0 : lineStart(kept.subarray(0, keptLength));
      const tail = kept.subarray(from, keptLength);
      const released = {
        bytes: skipped === 0 ? Uint8Array.from(tail) : Uint8Array.from(Buffer.concat([restore, tail])),
        skipped: skipped + from,
      };
      kept = nothing;
      keptLength = 0;
      skipped = 0;
      carry = nothing;
      return released;
    },
  };
}

/** The first line start that leaves something; a cut inside a character or a sequence would show. */
function lineStart(bytes: Uint8Array): number {
  const feed = bytes.indexOf(0x0a);
  return feed >= 0 && feed + 1 < bytes.length ? feed + 1 : 0;
}

/** The end of a chunk where a sequence may have begun that goes on in the next. */
function unfinished(before: Uint8Array, bytes: Uint8Array): Uint8Array {
  const joined = bytes.length >= carryBytes ? bytes : Buffer.concat([before, bytes]);
  const tail = joined.subarray(Math.max(0, joined.length - carryBytes));
  const escape = tail.lastIndexOf(0x1b);
  return escape < 0 ? nothing : Uint8Array.from(tail.subarray(escape));
}

/** Where the first sequence begins that must not be skipped. One that began in the carry is at 0, and is emulated with it. */
function firstMeaning(carry: Uint8Array, bytes: Uint8Array): number {
  if (carry.length > 0) {
    const head = Buffer.concat([carry, bytes.subarray(0, carryBytes)]);
    if (hasMeaning(head, 0)) return 0;
  }
  let shift = bytes.indexOf(0x0e);
  const shiftIn = bytes.indexOf(0x0f);
  if (shift < 0 || (shiftIn >= 0 && shiftIn < shift)) shift = shiftIn;
  const end = shift < 0 ? bytes.length : shift;
  for (let at = nextEscape(bytes, 0); at >= 0 && at < end; at = nextEscape(bytes, at + 1)) {
    if (hasMeaning(bytes, at)) return at;
  }
  return end;
}

/** Where escapes are dense a loop is faster than a call, and far slower where there are none. */
function nextEscape(bytes: Uint8Array, from: number): number {
  const near = Math.min(bytes.length, from + 64);
  for (let at = from; at < near; at += 1) if (bytes[at] === 0x1b) return at;
  return near === bytes.length ? -1 : bytes.indexOf(0x1b, near);
}

function hasMeaning(bytes: Uint8Array, at: number): boolean {
  const kind = bytes[at + 1];
  switch (kind) {
    case 0x5b:
      return controlHasMeaning(bytes, at + 2);
    case 0x5d:
      return isShellMark(bytes, at + 2);
    // RIS, and shifts to G2 and G3.
    case 0x63:
    case 0x6e:
    case 0x6f:
      return true;
    // Designating a character set other than ASCII.
    case 0x28:
    case 0x29:
    case 0x2a:
    case 0x2b:
      return bytes[at + 2] !== undefined && bytes[at + 2] !== 0x42;
    default:
      return false;
  }
}

/** Paste marking, alternate screens, origin and wrap mode, insert mode, scroll region, soft reset. */
function controlHasMeaning(bytes: Uint8Array, from: number): boolean {
  let at = from;
  let number = 0;
  let found = false;
  const isPrivate = bytes[at] === 0x3f;
  if (isPrivate) at += 1;
  for (const limit = Math.min(bytes.length, from + 64); at < limit; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) number = Math.min(99_999, number * 10 + byte - 0x30);
    else if (byte === 0x21) return bytes[at + 1] === 0x70;
    else {
      found ||= isPrivate ? isMeaningfulMode(number) : number === 4;
      number = 0;
      if (byte === 0x3b || byte === 0x3a) continue;
      if (byte === 0x72) return true;
      return found && (byte === 0x68 || byte === 0x6c);
    }
  }
  return false;
}

function isMeaningfulMode(mode: number): boolean {
  return mode === 2004 || mode === 1049 || mode === 1047 || mode === 47 || mode === 6 || mode === 7;
}

function isShellMark(bytes: Uint8Array, at: number): boolean {
  return (bytes[at] === 0x31 || bytes[at] === 0x36) && bytes[at + 1] === 0x33 && bytes[at + 2] === 0x33;
}
