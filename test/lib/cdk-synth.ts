import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { compiledCode } from '../support/compiled-code.ts';

const root = join(import.meta.dirname, '..', '..');

/** cdk as a user runs it, with no credentials, no container engine and no home but an empty folder. */
export async function synth(folder: string, ...args: readonly string[]) {
  const programs = join(folder, 'bin');
  mkdirSync(programs);
  symlinkSync(process.execPath, join(programs, 'node'));
  for (const program of ['sh', 'bash', 'mkdir', 'cp', 'env', 'npx'])
    for (const path of [
      '/bin',
      '/usr/bin',
      dirname(process.execPath),
      ...(process.env['PATH'] ?? '').split(':'),
    ])
      if (existsSync(join(path, program)) && !existsSync(join(programs, program)))
        symlinkSync(join(path, program), join(programs, program));
  const output = join(folder, 'out');
  const child = spawn(join(root, 'node_modules', '.bin', 'cdk'), ['synth', '-q', '-o', output, ...args], {
    cwd: root,
    env: { ...compiledCode, PATH: programs, HOME: folder, CI: 'true', npm_config_cache: join(folder, 'npm') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, said: `${out}${err}`, output };
}
