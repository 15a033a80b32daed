/** When connections that have not authenticated are thinned out, in the manner of sshd_config(5) MaxStartups. */
export type StartupLimits = {
  /** From so many on a new one may cost one of them its place, */
  readonly begin: number;
  /** at first with this probability, in percent, growing to certainty */
  readonly ratePercent: number;
  /** at so many, which are never exceeded. */
  readonly full: number;
};

/** Connections that have not authenticated yet, by source. */
export type Startups = {
  /**
   * Takes a place for a connection; `drop` is called where it loses it again. Settles into the return value: call it when the connection
   * has authenticated or ended.
   */
  enter(source: string, drop: () => void): () => void;
  readonly count: number;
};

type Place = { readonly source: string; readonly drop: () => void };

/**
 * OpenSSH turns the newcomer away; then whoever holds all places keeps everybody else out for the login grace. Here the oldest connection of
 * the source that holds most of them goes, so that who floods from few addresses displaces himself, and a client that comes to log in is rarely hit:
 * it is new, and gone from here in a moment.
 */
export function createStartups(limits: StartupLimits, random: () => number): Startups {
  const { begin, ratePercent, full } = limits;
  const bySource = new Map<string, Set<Place>>();
  let count = 0;

  function leave(place: Place): void {
    const places = bySource.get(place.source);
    if (places?.delete(place) !== true) return;
    count -= 1;
    if (places.size === 0) bySource.delete(place.source);
  }

  function mustDrop(): boolean {
    if (count < begin) return false;
    if (count >= full) return true;
    const share = full === begin ? 1 : (count - begin) / (full - begin);
    return random() * 100 < ratePercent + (100 - ratePercent) * share;
  }

  function dropOne(): void {
    let most: Set<Place> | undefined;
    for (const places of bySource.values()) if (places.size > (most?.size ?? 0)) most = places;
    const [oldest] = most ?? [];
    if (oldest === undefined) return;
    leave(oldest);
    oldest.drop();
  }

  return {
    enter(source, drop) {
      if (mustDrop()) dropOne();
      const place = { source, drop };
      const places = bySource.get(source);
      if (places === undefined) bySource.set(source, new Set([place]));
      else places.add(place);
      count += 1;
      return () => leave(place);
    },
    get count() {
      return count;
    },
  };
}
