/** Times of a playback in which no wait is longer than a limit. Called with times that do not go backwards. */
export type IdleClock = (seconds: number) => number;

/** `limitSeconds` undefined: as it was. Times are whole milliseconds, and two that differ go on doing so. */
export function createIdleClock(startSeconds: number, limitSeconds?: number): IdleClock {
  const limitMs = limitSeconds === undefined ? Infinity : Math.max(1, Math.round(limitSeconds * 1000));
  let reachedMs = Math.round(startSeconds * 1000);
  let playedMs = 0;
  return (seconds) => {
    const atMs = Math.max(reachedMs, Math.round(seconds * 1000));
    playedMs += Math.min(atMs - reachedMs, limitMs);
    reachedMs = atMs;
    return playedMs / 1000;
  };
}
