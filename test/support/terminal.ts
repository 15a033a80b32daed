import { type Finished, run } from './run.ts';

/** Runs a shell script on a pseudo-terminal of its own, by script(1), which every Debian and macOS has. */
export function inTerminal(script: string, timeoutMs = 30_000): Promise<Finished> {
  const command =
    process.platform === 'darwin' ? ['-q', '/dev/null', 'sh', '-c', script] : ['-qec', script, '/dev/null'];
  return run('script', command, { timeoutMs, env: { SHELL: '/bin/sh' } });
}
