import {
  anyButLineEnd,
  between,
  type CharacterSet,
  certain,
  inEitherCase,
  namedSets,
  noCharacters,
  oneCharacter,
  opposite,
} from './character-set.ts';

/** A pattern as a tree. Every repetition has an end: `*`, `+` and `{2,}` stop at `maxRepeats`. */
export type Pattern =
  | { readonly kind: 'set'; readonly set: CharacterSet; readonly source: string }
  /** Takes no character: `^`, `$`, `\b`, and a look at one character before or behind. */
  | { readonly kind: 'assertion'; readonly source: string }
  | { readonly kind: 'group'; readonly capturing: boolean; readonly body: Pattern }
  | { readonly kind: 'sequence'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'choice'; readonly options: readonly Pattern[] }
  | {
      readonly kind: 'repeat';
      readonly body: Pattern;
      readonly min: number;
      readonly max: number;
      readonly lazy: boolean;
    };

export type PatternProblem = { readonly message: string; readonly fix: string };
export type ParsedPattern =
  | { readonly ok: true; readonly pattern: Pattern; readonly ignoreCase: boolean }
  | ({ readonly ok: false } & PatternProblem);

const maxPatternLength = 1024;
const maxDepth = 16;
/** The end that an open repetition gets. */
const maxRepeats = 1024;
const maxCount = 8192;

/**
 * Reads the part of JavaScript's regular expressions whose cost can be told beforehand: no back references, no look-around
 * beyond one character, no Unicode properties. `(?i)` may stand at the beginning.
 */
export function parsePattern(text: string): ParsedPattern {
  if (text.length > maxPatternLength)
    return problem(`is longer than ${maxPatternLength} characters`, 'make it several rules');
  const ignoreCase = text.startsWith('(?i)');
  const reader = new PatternReader(ignoreCase ? text.slice(4) : text, ignoreCase);
  try {
    return { ok: true, pattern: reader.readAll(), ignoreCase };
  } catch (error) {
    if (error instanceof Unreadable) return problem(error.message, error.fix);
    throw error;
  }
}

/** JavaScript's source of a pattern, with an end to every repetition. */
export function patternSource(pattern: Pattern): string {
  switch (pattern.kind) {
    case 'set':
    case 'assertion':
      return pattern.source;
    case 'group':
      return `(${pattern.capturing ? '' : '?:'}${patternSource(pattern.body)})`;
    case 'sequence':
      return pattern.parts.map(patternSource).join('');
    case 'choice':
      return pattern.options.map(patternSource).join('|');
    case 'repeat':
      return `${patternSource(pattern.body)}{${pattern.min},${pattern.max}}${pattern.lazy ? '?' : ''}`;
  }
}

function problem(message: string, fix: string): ParsedPattern {
  return { ok: false, message, fix };
}

/** Thrown and caught in this file alone. */
class Unreadable {
  readonly message: string;
  readonly fix: string;

  constructor(message: string, fix: string) {
    this.message = message;
    this.fix = fix;
  }
}

const controlEscapes: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };
type Member = { readonly set: CharacterSet; readonly code?: number };

class PatternReader {
  readonly #text: string;
  readonly #ignoreCase: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string, ignoreCase: boolean) {
    this.#text = text;
    this.#ignoreCase = ignoreCase;
  }

  readAll(): Pattern {
    const pattern = this.#choice();
    if (this.#at < this.#text.length)
      throw new Unreadable('has a ) without its (', 'write \\) for the character');
    return pattern;
  }

  #choice(): Pattern {
    const options = [this.#sequence()];
    while (this.#take('|')) options.push(this.#sequence());
    const [only] = options;
    return options.length === 1 && only !== undefined ? only : { kind: 'choice', options };
  }

  #sequence(): Pattern {
    const parts: Pattern[] = [];
    for (let next = this.#text[this.#at]; next !== undefined && next !== '|' && next !== ')'; ) {
      parts.push(this.#repeated(this.#atom()));
      next = this.#text[this.#at];
    }
    return { kind: 'sequence', parts };
  }

  #atom(): Pattern {
    const from = this.#at;
    const char = this.#next();
    if (char === '(') return this.#group();
    if (char === '[') return this.#setFrom(from, this.#class());
    if (char === '.') return this.#setFrom(from, anyButLineEnd);
    if (char === '^' || char === '$') return { kind: 'assertion', source: char };
    if (char === '\\') {
      if (this.#take('b')) return { kind: 'assertion', source: '\\b' };
      if (this.#take('B')) return { kind: 'assertion', source: '\\B' };
      return this.#setFrom(from, this.#escaped().set);
    }
    if ('*+?{}]'.includes(char))
      throw new Unreadable(`has a ${char} with nothing before it`, `write \\${char} for the character`);
    return this.#setFrom(from, oneCharacter(char.charCodeAt(0)));
  }

  #setFrom(from: number, set: CharacterSet): Pattern {
    const source = this.#text.slice(from, this.#at);
    return { kind: 'set', set: this.#ignoreCase ? inEitherCase(set) : set, source };
  }

  #group(): Pattern {
    this.#depth += 1;
    if (this.#depth > maxDepth)
      throw new Unreadable(`has groups more than ${maxDepth} deep`, 'make it flatter');
    const look = ['?=', '?!', '?<=', '?<!'].find((opening) => this.#take(opening));
    const capturing = look === undefined && !this.#take('?:');
    if (capturing && this.#text[this.#at] === '?')
      throw new Unreadable(
        'has a group of a kind that is not known here',
        'use ( ), (?: ), (?= ), (?! ), (?<= ) or (?<! )',
      );
    const body = this.#choice();
    if (!this.#take(')')) throw new Unreadable('has a ( without its )', 'write \\( for the character');
    this.#depth -= 1;
    if (look === undefined) return { kind: 'group', capturing, body };
    const single = body.kind === 'sequence' && body.parts.length === 1 && body.parts[0]?.kind === 'set';
    if (!single)
      throw new Unreadable('looks around at more than one character', 'look at one, such as (?![a-z])');
    return { kind: 'assertion', source: `(${look}${patternSource(body)})` };
  }

  #repeated(atom: Pattern): Pattern {
    const bounds = this.#bounds();
    if (bounds === undefined) return atom;
    if (atom.kind === 'assertion')
      throw new Unreadable('repeats what takes no character', 'remove the repetition');
    const lazy = this.#take('?');
    if (this.#bounds() !== undefined) throw new Unreadable('repeats a repetition', 'put it in a group (?: )');
    return { kind: 'repeat', body: atom, ...bounds, lazy };
  }

  #bounds(): { readonly min: number; readonly max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: maxRepeats };
    if (this.#take('+')) return { min: 1, max: maxRepeats };
    if (this.#take('?')) return { min: 0, max: 1 };
    if (this.#text[this.#at] !== '{') return undefined;
    const written = /^\{(\d{1,5})(,)?(\d{1,5})?\}/.exec(this.#text.slice(this.#at));
    if (written === null)
      throw new Unreadable('has a { that is no repetition', 'write \\{ for the character');
    this.#at += written[0].length;
    const min = Number(written[1]);
    const max =
      written[3] === undefined
        ? written[2] === undefined
          ? min
          : Math.max(min, maxRepeats)
        : Number(written[3]);
    if (max > maxCount || max < min)
      throw new Unreadable(
        `repeats ${min} to ${max} times`,
        `use numbers up to ${maxCount}, the lower first`,
      );
    return { min, max };
  }

  #class(): CharacterSet {
    const negated = this.#take('^');
    let set = noCharacters;
    let whole = noCharacters;
    while (!this.#take(']')) {
      const first = this.#member();
      if (this.#text[this.#at] === '-' && this.#text[this.#at + 1] !== ']' && first.code !== undefined) {
        this.#at += 1;
        const last = this.#member();
        if (last.code === undefined || last.code < first.code)
          throw new Unreadable('has a range that is none', 'write \\- for the character');
        set |= between(first.code, last.code);
      } else set |= first.set;
      whole |= first.code === undefined ? first.set : certain(set);
    }
    if (!negated) return set;
    return opposite(this.#ignoreCase ? inEitherCase(whole) : whole);
  }

  #member(): Member {
    const char = this.#next();
    if (char === '\\') return this.#escaped();
    return { set: oneCharacter(char.charCodeAt(0)), code: char.charCodeAt(0) };
  }

  #escaped(): Member {
    const char = this.#next();
    const named = namedSets[char];
    if (named !== undefined) return { set: named };
    const hex = char === 'x' ? 2 : char === 'u' ? 4 : 0;
    let code = controlEscapes[char] ?? char.charCodeAt(0);
    if (hex > 0) {
      const digits = this.#text.slice(this.#at, this.#at + hex);
      if (digits.length !== hex || !/^[0-9a-fA-F]+$/.test(digits))
        throw new Unreadable(
          `has a \\${char} without its ${hex} digits`,
          `write \\${char}${'0'.repeat(hex)}`,
        );
      this.#at += hex;
      code = Number.parseInt(digits, 16);
    } else if (/[A-Za-z0-9]/.test(char) && controlEscapes[char] === undefined)
      throw new Unreadable(
        `has \\${char}, which is not known here`,
        'use \\d \\w \\s \\b \\t \\xHH \\uHHHH, no back references',
      );
    return { set: oneCharacter(code), code };
  }

  #next(): string {
    const char = this.#text[this.#at];
    if (char === undefined) throw new Unreadable('ends in the middle', 'close what is open');
    this.#at += 1;
    return char;
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }
}
