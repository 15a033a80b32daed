import { join } from 'node:path';
import { type Finished, type RunOptions, run } from './run.ts';
import { type Answer, typedInTerminal } from './terminal.ts';

/** How `sshtrail` is started. Nothing of the environment decides where its data is. */
export const sshtrailProgram = {
  program: process.execPath,
  first: [join(import.meta.dirname, '..', '..', 'bin', 'sshtrail.ts')],
  env: { SSHTRAIL_DATA: '', NO_COLOR: '1', NODE_OPTIONS: '' },
} as const;

/** Runs `sshtrail` as a person would, without a terminal, to its end. */
export function sshtrail(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { program, first, env } = sshtrailProgram;
  return run(program, [...first, ...args], { ...options, env: { ...env, ...options.env } });
}

/** Runs `sshtrail` with a terminal and somebody who types at it. No argument may have a quote. */
export function sshtrailInTerminal(
  args: readonly string[],
  answers: readonly Answer[],
  environment: Readonly<Record<string, string>> = {},
): ReturnType<typeof typedInTerminal> {
  const { program, first, env } = sshtrailProgram;
  const command = [program, ...first, ...args].map((each) => `'${each}'`).join(' ');
  return typedInTerminal(`stty cols 100; exec ${command}`, answers, { ...env, ...environment });
}
