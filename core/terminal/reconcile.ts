import type { TypedLine } from './typed-line.ts';

/**
 * The better of what was read and what was typed. The keys are taken only where the screen confirms them: the same text but
 * for blanks, for what a terminal without the characters shows as `?`, for output that came between, or for cells that were
 * overwritten. What was not echoed is never taken.
 */
export function reconcile(
  shown: string,
  typed: TypedLine,
  outputBetween: boolean,
): { readonly text: string; readonly agreed: boolean; readonly changed: boolean } {
  const text = shown.trimEnd();
  if (!typed.certain || typed.line.trim() === '') return { text, agreed: false, changed: false };
  const line = typed.line.trimEnd();
  if (withoutBlanks(text) === withoutBlanks(line)) return { text: line, agreed: true, changed: false };
  const [shownCharacters, typedCharacters] = [withoutBlanks(text), withoutBlanks(line)];
  const confirmed =
    isReplaced(shownCharacters, typedCharacters) ||
    (outputBetween && isWithin(typedCharacters, shownCharacters)) ||
    (shownCharacters.length >= 0.6 * typedCharacters.length && isWithin(shownCharacters, typedCharacters));
  return confirmed ? { text: line, agreed: false, changed: true } : { text, agreed: false, changed: false };
}

/** Whether a terminal without the characters would show the one for the other. */
export function sameButReplaced(shown: string, typed: string): boolean {
  return isReplaced(withoutBlanks(shown), withoutBlanks(typed));
}

export function sameWithoutBlanks(one: string, other: string): boolean {
  return withoutBlanks(one) === withoutBlanks(other);
}

function withoutBlanks(text: string): string {
  return text.replace(/\s/g, '');
}

function isReplaced(shown: string, typed: string): boolean {
  const [one, other] = [Array.from(shown), Array.from(typed)];
  if (one.length !== other.length || /^\p{ASCII}*$/u.test(typed)) return false;
  return one.every((character, at) => {
    const wanted = other[at] ?? '';
    return character === wanted || ((character === '?' || character === '\ufffd') && wanted > '\x7f');
  });
}

/** Whether the characters of the first occur in the second in their order. */
function isWithin(some: string, all: string): boolean {
  let found = 0;
  for (let at = 0; at < all.length && found < some.length; at += 1) if (all[at] === some[found]) found += 1;
  return found === some.length;
}
