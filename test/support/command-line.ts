import { join } from 'node:path';
import type { CommandContext } from '../../cli/command-context.ts';
import { runCommandLine } from '../../cli/command-line.ts';
import { type Finished, type RunOptions, run } from './run.ts';
import { type Answer, typedInTerminal } from './terminal.ts';

/** How `sshtrail` is started. Nothing of the environment decides where its data is. */
export const sshtrailProgram = {
  program: process.execPath,
  first: [join(import.meta.dirname, '..', '..', 'bin', 'sshtrail.ts')],
  env: { SSHTRAIL_DATA: '', NO_COLOR: '1', NODE_OPTIONS: '' },
} as const;

/** Runs `sshtrail` as a person would, without a terminal, in a process of its own, to its end. */
export function sshtrailProcess(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { program, first, env } = sshtrailProgram;
  return run(program, [...first, ...args], { ...options, env: { ...env, ...options.env } });
}

/** What a command within this process is given, and what it printed. */
export function capturingContext(environment: CommandContext['environment']) {
  const stdout: Uint8Array[] = [];
  const stderr: string[] = [];
  const print = (text: string | Uint8Array) => void stdout.push(Buffer.from(text));
  const never = new AbortController().signal;
  const context: CommandContext = {
    output: {
      line: (text) => print(`${text}\n`),
      note: (text) => void stderr.push(`${text}\n`),
      async write(part) {
        print(part);
      },
      colour: false,
    },
    environment,
    now: Date.now,
    signal: never,
    hurry: never,
  };
  return { context, stdout: () => Buffer.concat(stdout), stderr: () => stderr.join('') };
}

/** As `sshtrailProcess` does, within this process, which spares starting one: all but the process's own input and signals. */
export async function sshtrail(
  args: readonly string[],
  { env }: Pick<RunOptions, 'env'> = {},
): Promise<Finished> {
  const { context, stdout, stderr } = capturingContext({ ...process.env, ...sshtrailProgram.env, ...env });
  const code = await runCommandLine(args, context);
  return { code, signal: null, stdout: stdout(), stderr: stderr() };
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
