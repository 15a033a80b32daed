import { runCommandLine } from './command-line.ts';
import { processOutput } from './output.ts';

/** Runs the command line of this process, and sets its exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const { stopping, hurrying } = signals();
  // A reader such as head(1) that has seen enough is no fault of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  process.exitCode = await runCommandLine(argv, {
    output: processOutput(),
    environment: process.env,
    now: Date.now,
    signal: stopping.signal,
    hurry: hurrying.signal,
  });
}

/** npm passes on the interrupt that the terminal sent to this process as well: what comes so soon is the same wish. */
const sameWishMs = 500;

/** The first signal to stop, the second, and from then on what the system does by itself. */
function signals(): { readonly stopping: AbortController; readonly hurrying: AbortController } {
  const stopping = new AbortController();
  const hurrying = new AbortController();
  let firstAtMs: number | undefined;
  const take = (): void => {
    firstAtMs ??= performance.now();
    stopping.abort();
    if (performance.now() - firstAtMs < sameWishMs) return;
    hurrying.abort();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, take);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, take);
  return { stopping, hurrying };
}
