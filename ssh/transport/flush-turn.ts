/** Something with output to hand over once the work at hand is done. */
export interface Flushable {
  /** Must not throw. */
  flush(): void;
}

const dirty: Flushable[] = [];
let depth = 0;
let flushing = false;
let scheduled = false;

/** Read callbacks run between enterTurn and leaveTurn, so that all their output, on whatever transport, is written once at the end. */
export function enterTurn(): void {
  depth += 1;
}

export function leaveTurn(): void {
  depth -= 1;
  if (depth === 0) flushAll();
}

/** Asks for `flush` at the end of this turn, or of the current synchronous work. Call once per flush. */
export function flushLater(output: Flushable): void {
  dirty.push(output);
  if (depth > 0 || flushing || scheduled) return;
  scheduled = true;
  process.nextTick(flushScheduled);
}

function flushScheduled(): void {
  scheduled = false;
  flushAll();
}

/** A flush may reach a transport in this process whose answer is flushed here as well: a loop, so that no echo grows the stack. */
function flushAll(): void {
  if (flushing || depth > 0) return;
  flushing = true;
  for (let index = 0; index < dirty.length; index += 1) dirty[index]?.flush();
  dirty.length = 0;
  flushing = false;
}
