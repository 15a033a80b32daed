import type { Invocation } from './invocation.ts';
import type { Log } from './log.ts';

/** Does the work of an invocation, says what became of it, and closes the invocation before it is over, whatever happened. */
export async function closing<Result>(
  invocation: Invocation,
  log: Log,
  work: () => Promise<Result>,
): Promise<Result> {
  let failure: { readonly error: unknown } | undefined;
  try {
    return await work();
  } catch (error) {
    log.error('the invocation failed', error);
    failure = { error };
    throw error;
  } finally {
    await invocation.close().catch((error: unknown) => {
      log.error('what was recorded could not be sealed; the seal function completes it', error);
      // What the work says of itself matters more.
      if (failure === undefined) throw error;
    });
  }
}
