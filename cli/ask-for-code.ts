import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError } from './cli-error.ts';

/** Whether somebody is there to be asked: what they type comes from a terminal, and what they are asked reaches one. */
export function isAtTerminal(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** Asks on the terminal. Hidden, what is typed is not shown: a recovery code stays good until it is used. */
export async function askForCode(
  prompt: string,
  signal: AbortSignal,
  typed: 'hidden' | 'shown' = 'hidden',
): Promise<string> {
  if (!process.stdin.isTTY)
    throw new CliError(
      'bad-input',
      'a code is needed, and there is no terminal to ask at; give it with --code',
    );
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({
    input: process.stdin,
    output: typed === 'hidden' ? silent : process.stderr,
    terminal: true,
  });
  if (typed === 'hidden') process.stderr.write(prompt);
  try {
    return await terminal.question(typed === 'hidden' ? '' : prompt, { signal });
  } catch (cause) {
    if (!(cause instanceof Error && cause.name === 'AbortError')) throw cause;
    if (typed === 'shown') process.stderr.write('\n');
    throw new CliError('bad-input', 'no code was given; --code CODE gives one without a question', { cause });
  } finally {
    terminal.close();
    if (typed === 'hidden') process.stderr.write('\n');
  }
}
