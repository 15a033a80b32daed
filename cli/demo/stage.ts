import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Row } from '#core/contract';
import { totpCode } from '#core/totp';
import { CliError } from '../cli-error.ts';
import type { DataDirectory } from '../data-directory.ts';
import { ask, withLake } from '../lake-query.ts';
import type { Running } from '../up.ts';

/** What the steps work with. */
export type Stage = {
  readonly data: DataDirectory;
  readonly up: Running;
  readonly login: string;
  readonly askpass: string;
  readonly now: () => number;
};

type SshOptions = {
  readonly terminal?: boolean;
  readonly stdin?: string;
  /** The code of alice's authenticator is the answer to what the login asks. */
  readonly code?: boolean;
  /** That answer, where it is something else. */
  readonly answer?: string;
  /** In the place of the key that the Host of the configuration names. */
  readonly identityFile?: string;
};

export type Finished = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
export type Started = ReturnType<typeof observe>;

/** Of what a person would wait for; a machine under load takes longer. */
const endWithinMs = 30_000;
const lookEveryMs = 20;

export async function ssh(
  stage: Stage,
  args: readonly [string, ...string[]],
  options: SshOptions = {},
): Promise<Finished> {
  return finished(start(stage, args, options), `ssh ${args.join(' ')}`);
}

/** `args` are the target@host and a command, if any. Questions are answered by SSH_ASKPASS, as a password manager would. */
export function start(stage: Stage, args: readonly [string, ...string[]], options: SshOptions = {}): Started {
  const [destination, ...command] = args;
  const flags = [
    '-F',
    stage.data.sshConfig,
    ...(options.identityFile === undefined ? [] : ['-i', options.identityFile]),
    ...(options.terminal === true ? ['-tt'] : []),
  ];
  const answer = options.code === true ? codeOf(stage) : options.answer;
  return observe(
    spawn('ssh', [...flags, `${stage.login}@${destination}`, ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: answeringEnvironment(stage.askpass, answer),
    }),
    options.stdin,
    stage.now,
  );
}

export async function finished(child: Started, what: string): Promise<Finished> {
  await until(
    () => child.ended(),
    endWithinMs,
    () => `${what} did not end: ${child.stderr()}`,
  );
  return { code: child.code(), stdout: child.stdout(), stderr: child.stderr() };
}

/** Another process of this program, as another person would run it. */
export async function runSelf(stage: Stage, args: readonly string[]): Promise<Finished> {
  const main = join(import.meta.dirname, '..', '..', 'bin', 'sshtrail.ts');
  const withData = args.includes('--data') ? args : [...args, '--data', stage.data.root];
  const child = spawn(process.execPath, [main, ...withData], { stdio: ['pipe', 'pipe', 'pipe'] });
  return finished(observe(child, '', stage.now), `sshtrail ${args.join(' ')}`);
}

export async function query(stage: Stage, sql: string): Promise<readonly Row[]> {
  return withLake(stage.data, async (engine) => (await ask(engine, sql, 30_000, 1000)).rows);
}

export function writeAskpass(folder: string): string {
  const path = join(folder, 'askpass');
  writeFileSync(path, '#!/bin/sh\nprintf "%s\\n" "$SSHTRAIL_DEMO_ANSWER"\n', { mode: 0o700 });
  return path;
}

/** For a stock client: without an answer it can be asked nothing. */
export function answeringEnvironment(askpass: string, answer: string | undefined): NodeJS.ProcessEnv {
  if (answer === undefined) return process.env;
  const answering = { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', SSHTRAIL_DEMO_ANSWER: answer };
  return { ...process.env, ...answering };
}

export async function until(
  holds: () => boolean,
  deadlineMs: number,
  complaint: () => string,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new CliError('not-verified', complaint());
    await sleep(lookEveryMs);
  }
}

export function expect(holds: boolean, complaint: string): void {
  if (!holds) throw new CliError('not-verified', complaint);
}

export function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.includes('sshtrail'))
      ?.trim() ?? text.trim()
  );
}

export function seconds(fromMs: number, toMs: number): string {
  return `${((toMs - fromMs) / 1000).toFixed(1)} s`;
}

function codeOf(stage: Stage): string {
  const secret = readFileSync(join(stage.data.demo, 'alice.totp'), 'utf8').trim();
  return totpCode(secret, stage.now());
}

function observe(child: ChildProcess, stdin: string | undefined, now: () => number) {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let endedAtMs: number | undefined;
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  // The program may end before it has read its input.
  child.stdin?.on('error', () => undefined);
  if (stdin !== undefined) child.stdin?.end(stdin);
  const closed = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      err.push(Buffer.from(error.message));
      endedAtMs = now();
      resolve();
    });
    child.once('close', () => {
      endedAtMs = now();
      resolve();
    });
  });
  return {
    ended: () => endedAtMs !== undefined,
    /** Undefined while it runs. */
    endedAtMs: () => endedAtMs,
    code: () => child.exitCode,
    stdout: () => Buffer.concat(out).toString(),
    stderr: () => Buffer.concat(err).toString(),
    async stop() {
      if (endedAtMs === undefined) child.kill('SIGTERM');
      await closed;
    },
  };
}
