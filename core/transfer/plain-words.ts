/**
 * The words of a command that a POSIX shell would run as one program and nothing else; undefined for any other: what substitutes,
 * redirects, joins or ends a command could do anything. Patterns stay as they are, and `expands` says that there are any.
 */
export function plainWords(
  command: string,
): { readonly words: readonly string[]; readonly expands: boolean } | undefined {
  const words: string[] = [];
  let expands = false;
  let word: string | undefined;
  let at = 0;
  while (at < command.length) {
    const character = command[at] ?? '';
    if (character === ' ' || character === '\t') {
      if (word !== undefined) words.push(word);
      word = undefined;
      at += 1;
      continue;
    }
    const part = partAt(command, at, word === undefined);
    if (part === undefined) return undefined;
    word = (word ?? '') + part.text;
    expands ||= part.expands;
    at = part.end;
  }
  if (word !== undefined) words.push(word);
  return { words, expands };
}

type Part = { readonly text: string; readonly end: number; readonly expands: boolean };

function partAt(command: string, at: number, startsWord: boolean): Part | undefined {
  const character = command[at] ?? '';
  if (character === "'") return singleQuoted(command, at);
  if (character === '"') return doubleQuoted(command, at);
  if (character === '\\') {
    const next = command[at + 1];
    return next === undefined || isControl(next) ? undefined : { text: next, end: at + 2, expands: false };
  }
  if (isControl(character) || '$`;&|<>()'.includes(character) || (startsWord && character === '#'))
    return undefined;
  return { text: character, end: at + 1, expands: '*?[]{}'.includes(character) };
}

function singleQuoted(command: string, at: number): Part | undefined {
  const end = command.indexOf("'", at + 1);
  if (end < 0) return undefined;
  const text = command.slice(at + 1, end);
  return hasControl(text) ? undefined : { text, end: end + 1, expands: false };
}

function doubleQuoted(command: string, start: number): Part | undefined {
  let text = '';
  for (let at = start + 1; at < command.length; at += 1) {
    const character = command[at] ?? '';
    if (character === '"') return { text, end: at + 1, expands: false };
    if (character === '$' || character === '`' || isControl(character)) return undefined;
    if (character === '\\' && '\\"$`'.includes(command[at + 1] ?? ' ')) at += 1;
    text += command[at] ?? '';
  }
  return undefined;
}

function hasControl(text: string): boolean {
  return Array.from(text).some(isControl);
}

function isControl(character: string): boolean {
  return character < ' ' || character === '\x7f';
}
