import { type Command, CommanderError } from 'commander';
import { CliError } from './cli-error.ts';
import type { CommandContext } from './command-context.ts';
import { type Output, printableLines } from './output.ts';
import { buildProgram } from './program.ts';
import { systemErrorCode } from './system-error.ts';

/** Runs one command line. The exit code: 0 done, 1 failed with a sentence on standard error, 2 used wrongly or nothing to verify by, 130 interrupted. */
export async function runCommandLine(argv: readonly string[], context: CommandContext): Promise<number> {
  const { output, signal } = context;
  const program = buildProgram(context);
  for (const command of [program, ...program.commands, ...program.commands.flatMap((each) => each.commands)])
    printsTo(command, output).exitOverride();
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (signal.aborted && error instanceof Error && error.name === 'AbortError') return 130;
    // What is wrong may be told in words of the lake or of a peer.
    output.note(`sshtrail: ${printableLines(describe(error))}`);
    return error instanceof CliError && error.code === 'not-verifiable' ? 2 : 1;
  }
}

function printsTo(command: Command, output: Output): Command {
  return command.configureOutput({
    writeOut: (text) => output.line(text.replace(/\n$/, '')),
    writeErr: (text) => output.note(text.replace(/\n$/, '')),
  });
}

/** Faults with a stable code are sentences for the reader; anything else is a bug, and its stack helps to report it. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return systemErrorCode(error) !== undefined ? error.message : (error.stack ?? error.message);
}
