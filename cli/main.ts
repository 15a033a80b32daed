import { CommanderError } from 'commander';
import { CliError } from './cli-error.ts';
import { printableLines, processOutput } from './output.ts';
import { buildProgram } from './program.ts';
import { systemErrorCode } from './system-error.ts';

/** Runs the command line and sets the exit code: 0 done, 1 failed with a sentence on standard error, 2 used wrongly or nothing to verify by. */
export async function main(argv: readonly string[]): Promise<void> {
  const { stopping, hurrying } = signals();
  // A reader such as head(1) that has seen enough is no fault of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const program = buildProgram({
    output: processOutput(),
    environment: process.env,
    now: Date.now,
    signal: stopping.signal,
    hurry: hurrying.signal,
  });
  for (const command of [program, ...program.commands, ...program.commands.flatMap((each) => each.commands)])
    command.exitOverride();
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    if (stopping.signal.aborted && error instanceof Error && error.name === 'AbortError') {
      process.exitCode = 130;
      return;
    }
    // What is wrong may be told in words of the lake or of a peer.
    process.stderr.write(`sshtrail: ${printableLines(describe(error))}\n`);
    process.exitCode = error instanceof CliError && error.code === 'not-verifiable' ? 2 : 1;
  }
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

/** Faults with a stable code are sentences for the reader; anything else is a bug, and its stack helps to report it. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return systemErrorCode(error) !== undefined ? error.message : (error.stack ?? error.message);
}
