/** A set of characters as bits: 0 to 127 are those of ASCII, 128 stands for all others that are no blanks, 129 for other blanks. */
export type CharacterSet = bigint;

export const noCharacters: CharacterSet = 0n;
const otherBlanks: CharacterSet = 1n << 129n;
const otherCharacters: CharacterSet = (1n << 128n) | otherBlanks;
const asciiCharacters: CharacterSet = (1n << 128n) - 1n;
const allCharacters: CharacterSet = asciiCharacters | otherCharacters;

const digits = between(0x30, 0x39);
const words = digits | between(0x41, 0x5a) | between(0x61, 0x7a) | oneCharacter(0x5f);
const blanks = between(0x09, 0x0d) | oneCharacter(0x20) | otherBlanks;
const lineEnds = oneCharacter(0x0a) | oneCharacter(0x0d);

export const anyButLineEnd: CharacterSet = allCharacters & ~lineEnds;

/** Those of `\d`, `\w`, `\s` and their opposites. */
export const namedSets: Readonly<Record<string, CharacterSet>> = {
  d: digits,
  D: allCharacters & ~digits,
  w: words,
  W: allCharacters & ~words,
  s: blanks,
  S: allCharacters & ~blanks,
};

export function oneCharacter(code: number): CharacterSet {
  return code < 128 ? 1n << BigInt(code) : otherCharacters;
}

export function between(first: number, last: number): CharacterSet {
  let set = last > 127 ? otherCharacters : noCharacters;
  for (let code = first; code <= Math.min(last, 127); code += 1) set |= 1n << BigInt(code);
  return set;
}

export function opposite(set: CharacterSet): CharacterSet {
  return allCharacters & ~set;
}

/** What a set holds for certain: of the characters beyond ASCII one may be meant, not all. */
export function certain(set: CharacterSet): CharacterSet {
  return set & asciiCharacters;
}

export function inEitherCase(set: CharacterSet): CharacterSet {
  const upper = set & between(0x41, 0x5a);
  const lower = set & between(0x61, 0x7a);
  return set | (upper << 32n) | (lower >> 32n);
}
