import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError } from './cli-error.ts';

/** Asks on the terminal, without showing what is typed: a recovery code stays good until it is used. */
export async function askForCode(prompt: string, signal: AbortSignal): Promise<string> {
  if (!process.stdin.isTTY)
    throw new CliError(
      'bad-input',
      'a code is needed, and there is no terminal to ask at; give it with --code',
    );
  process.stderr.write(prompt);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await terminal.question('', { signal });
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
