import { spawn } from 'node:child_process';

/** Runs a program to its end. Gives what went wrong, in one line, or undefined. */
export function complaintOf(
  [program = '', ...args]: readonly string[],
  { cwd, limitMs }: { readonly cwd?: string; readonly limitMs: number },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'], timeout: limitMs });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-10_000);
    });
    const failed = (why: string) => resolve((why.trim().split('\n').at(-1) ?? '').slice(0, 300));
    child.once('error', ({ message }) => failed(message));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(undefined);
      else failed(signal === null ? said : `${said}\nended by ${signal} after at most ${limitMs / 1000} s`);
    });
  });
}
