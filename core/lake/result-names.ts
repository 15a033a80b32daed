/** Lower case, as Athena has them; a name that comes again gets a number, since rows are keyed by name. */
export function uniqueNames(names: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const lower = name.toLowerCase();
    let unique = lower;
    for (let n = 1; taken.has(unique); n += 1) unique = `${lower}_${n}`;
    taken.add(unique);
    return unique;
  });
}
