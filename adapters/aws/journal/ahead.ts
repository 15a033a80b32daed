/** Results in the order of the items, of which a few are worked on ahead of their turn. */
export async function* ahead<Item, Result>(
  items: Iterable<Item>,
  most: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const underWay: Promise<Result>[] = [];
  for (const item of items) {
    const started = work(item);
    // Looked at when its turn comes, which may never be.
    started.catch(() => undefined);
    underWay.push(started);
    const first = underWay.length >= most ? underWay.shift() : undefined;
    if (first !== undefined) yield await first;
  }
  for (const started of underWay) yield await started;
}
