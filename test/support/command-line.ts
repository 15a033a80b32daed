import { join } from 'node:path';
import { type Finished, type RunOptions, run } from './run.ts';

/** Runs `sshtrail` as a person would, without a terminal. Nothing of the environment decides where its data is. */
export function sshtrail(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const entry = join(import.meta.dirname, '..', '..', 'bin', 'sshtrail.ts');
  return run(process.execPath, [entry, ...args], {
    ...options,
    env: { SSHTRAIL_DATA: '', NO_COLOR: '1', NODE_OPTIONS: '', ...options.env },
  });
}
