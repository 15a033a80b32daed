import { spawn } from 'node:child_process';
import { type Finished, run } from './run.ts';

/** What is typed once its prompt is shown; keys may depend on all that was shown before. */
export type Answer = {
  readonly prompt: string;
  readonly keys: string | ((shown: string) => string);
};

/** Runs a shell script on a pseudo-terminal of its own, by script(1), which every Debian and macOS has. */
export function inTerminal(script: string, timeoutMs = 30_000): Promise<Finished> {
  return run('script', scriptArguments(script), { timeoutMs, env: { SHELL: '/bin/sh' } });
}

/** The same with somebody who types; `shown` is all that the terminal said. Rejects where a prompt does not come. */
export function typedInTerminal(
  script: string,
  answers: readonly Answer[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly shown: string }> {
  const child = spawn('script', scriptArguments(script), {
    env: { ...process.env, ...env, SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const waiting = [...answers];
  let shown = '';
  let answered = 0;
  child.stdin.on('error', () => undefined);
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    const [next] = waiting;
    if (next === undefined || !shown.includes(next.prompt, answered)) return;
    waiting.shift();
    answered = shown.length;
    child.stdin.write(typeof next.keys === 'string' ? next.keys : next.keys(shown));
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      if (waiting.length === 0 && code !== null) resolve({ code, shown });
      else reject(new Error(`${waiting.length} prompts did not come; shown was ${JSON.stringify(shown)}`));
    });
  });
}

function scriptArguments(script: string): readonly string[] {
  return process.platform === 'darwin'
    ? ['-q', '/dev/null', 'sh', '-c', script]
    : ['-qec', script, '/dev/null'];
}
