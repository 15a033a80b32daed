/** Does the work when its turn comes. */
export type TakeTurns = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** At most so many at once. Each channel waits for one turn at most, so those who wait are bounded by the channels. */
export function takeTurns(most: number): TakeTurns {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
