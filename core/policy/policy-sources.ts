import type { PolicySet, PolicySource } from './load-policy.ts';

/** Texts that `loadPolicy` makes the same set of, one a file. What stood between the policies is not in them, so that lines are others. */
export function policySources({ policies }: PolicySet): readonly PolicySource[] {
  const texts = new Map<string, string[]>();
  for (const { file, text } of policies) texts.set(file, [...(texts.get(file) ?? []), text]);
  // Nothing between them: a file that was as long as it may be is not longer now.
  return [...texts].map(([file, parts]) => ({ file, text: parts.join('') }));
}
