import { join } from 'node:path';
import { type Finished, type RunOptions, run } from './run.ts';

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
