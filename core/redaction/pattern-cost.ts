import { type CharacterSet, noCharacters } from './character-set.ts';
import type { Pattern, PatternProblem } from './pattern-syntax.ts';

/** The longest text a pattern may match, in characters; what a stream keeps for its next look is more than that. */
const maxMatchLength = 8192;
/** From each place that a match may begin at. */
const maxSteps = 16_384;
const prefixLength = 16;

/**
 * Why a pattern would cost too much, or undefined. What a matcher that backtracks can do from one place of any text is bounded here,
 * so that the time for a text is its length times a constant.
 */
export function costProblem(pattern: Pattern): PatternProblem | undefined {
  const longest = longestMatch(pattern);
  if (longest > maxMatchLength)
    return {
      message: `may match more than ${maxMatchLength} characters`,
      fix: 'write numbers instead of * and +, such as {1,200}',
    };
  if (longest === 0) return { message: 'matches no character', fix: 'write what the secret looks like' };
  if (costOf(pattern, []).steps > maxSteps)
    return {
      message: 'can match the same text in many ways, which makes it slow on text made for that',
      fix: 'let what follows a repetition begin with a character that the repetition has not, or write smaller numbers',
    };
  return undefined;
}

function longestMatch(pattern: Pattern): number {
  switch (pattern.kind) {
    case 'set':
      return 1;
    case 'assertion':
      return 0;
    case 'group':
      return longestMatch(pattern.body);
    case 'sequence':
      return pattern.parts.reduce((sum, part) => sum + longestMatch(part), 0);
    case 'choice':
      return Math.max(...pattern.options.map(longestMatch));
    case 'repeat':
      return longestMatch(pattern.body) * pattern.max;
  }
}

/** Upper bounds: in how many ways one text can be matched to the end of the pattern, and the steps of walking all of them. */
type Cost = { readonly ways: number; readonly steps: number };

const oneStep: Cost = { ways: 1, steps: 1 };

function costOf(pattern: Pattern, rest: readonly Pattern[]): Cost {
  switch (pattern.kind) {
    case 'set':
    case 'assertion':
      return oneStep;
    case 'group':
      return costOf(pattern.body, rest);
    case 'sequence':
      return costOfSequence(pattern.parts, rest);
    case 'choice':
      return costOfChoice(pattern.options, rest);
    case 'repeat':
      return costOfRepeat(pattern, rest);
  }
}

/** Each part is walked once for each way through those before it. */
function costOfSequence(parts: readonly Pattern[], rest: readonly Pattern[]): Cost {
  let ways = 1;
  let steps = 0;
  parts.forEach((part, index) => {
    const cost = costOf(part, [...parts.slice(index + 1), ...rest]);
    steps += ways * cost.steps;
    ways *= cost.ways;
  });
  return { ways, steps };
}

/** Options that differ in a character near their beginning, or in what follows them, are never both walked to their end. */
function costOfChoice(options: readonly Pattern[], rest: readonly Pattern[]): Cost {
  const costs = options.map((option) => costOf(option, rest));
  const beginnings = options.map((option) => beginning([option, ...rest]));
  const together = beginnings.map((one) =>
    beginnings.reduce(
      (sum, other, index) => sum + (mayBothMatch(one, other) ? (costs[index]?.ways ?? 0) : 0),
      0,
    ),
  );
  return { ways: Math.max(...together), steps: costs.reduce((sum, { steps }) => sum + steps, 0) };
}

function costOfRepeat(repeat: Extract<Pattern, { kind: 'repeat' }>, rest: readonly Pattern[]): Cost {
  const again: Pattern = { ...repeat, min: 0 };
  const inside = costOf(repeat.body, [again, ...rest]);
  const clear =
    repeat.min === repeat.max ||
    rest.length === 0 ||
    !mayBothMatch(beginning([repeat.body, again, ...rest]), beginning(rest));
  const exits = clear ? 1 : repeat.max - repeat.min + 1;
  const inner = Math.min(inside.ways ** repeat.max, maxSteps + 1);
  return { ways: inner * exits, steps: inner * repeat.max * inside.steps };
}

function mayBothMatch(one: readonly CharacterSet[], other: readonly CharacterSet[]): boolean {
  return one.every((set, index) => {
    const opposed = other[index];
    return opposed === undefined || (set & opposed) !== noCharacters;
  });
}

/** Which characters can stand at the first places, as far as the places are certain. */
function beginning(parts: readonly Pattern[]): readonly CharacterSet[] {
  const sets: CharacterSet[] = [];
  let ahead = parts;
  while (sets.length < prefixLength) {
    const [part, ...rest] = ahead;
    if (part === undefined) return sets;
    ahead = rest;
    if (part.kind === 'set') sets.push(part.set);
    else if (part.kind === 'group') ahead = [part.body, ...rest];
    else if (part.kind === 'sequence') ahead = [...part.parts, ...rest];
    else if (part.kind === 'repeat' && part.body.kind === 'set' && part.min > 0) {
      for (let count = 0; count < Math.min(part.min, prefixLength); count += 1) sets.push(part.body.set);
      if (part.min !== part.max) return sets;
    } else if (part.kind === 'choice' || part.kind === 'repeat') {
      const first = firstOf(part, rest);
      if (first !== undefined) sets.push(first);
      return sets;
    }
  }
  return sets;
}

/** The characters that can come first; undefined where that may be none at all. */
function firstOf(pattern: Pattern, rest: readonly Pattern[]): CharacterSet | undefined {
  switch (pattern.kind) {
    case 'set':
      return pattern.set;
    case 'assertion':
      return firstOfAll(rest);
    case 'group':
      return firstOf(pattern.body, rest);
    case 'sequence':
      return firstOfAll([...pattern.parts, ...rest]);
    case 'choice':
      return either(pattern.options.map((option) => firstOf(option, rest)));
    case 'repeat': {
      const inside = firstOf(pattern.body, rest);
      return pattern.min > 0 ? inside : either([inside, firstOfAll(rest)]);
    }
  }
}

function firstOfAll(parts: readonly Pattern[]): CharacterSet | undefined {
  const [part, ...rest] = parts;
  return part === undefined ? undefined : firstOf(part, rest);
}

function either(sets: readonly (CharacterSet | undefined)[]): CharacterSet | undefined {
  let together = noCharacters;
  for (const set of sets) {
    if (set === undefined) return undefined;
    together |= set;
  }
  return together;
}
