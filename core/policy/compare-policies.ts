import type { PolicySet } from './load-policy.ts';

/** What became of the policies of a set, by id, each list in order of ids. */
export type PolicyDifference = {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** With another text; where it stands does not count. */
  readonly changed: readonly string[];
};

export function comparePolicies(before: PolicySet, after: PolicySet): PolicyDifference {
  const old = textsOf(before);
  const present = textsOf(after);
  return {
    added: [...present.keys()].filter((id) => !old.has(id)).sort(),
    removed: [...old.keys()].filter((id) => !present.has(id)).sort(),
    changed: [...present]
      .filter(([id, text]) => old.has(id) && old.get(id) !== text)
      .map(([id]) => id)
      .sort(),
  };
}

function textsOf({ policies }: PolicySet): ReadonlyMap<string, string> {
  return new Map(policies.map(({ id, text }) => [id, text]));
}
