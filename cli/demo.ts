import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Row } from '#core/contract';
import { totpCode } from '#core/totp';
import { CliError } from './cli-error.ts';
import type { CommandContext } from './command-context.ts';
import { type DataDirectory, dataDirectory } from './data-directory.ts';
import { ask, withLake } from './lake-query.ts';
import { cellText } from './output.ts';
import { type Running, startUp } from './up.ts';
import { verifyData } from './verify.ts';

/** What the steps work with. */
type Stage = {
  readonly data: DataDirectory;
  readonly up: Running;
  readonly login: string;
  readonly askpass: string;
  readonly now: () => number;
};

type Step = { readonly title: string; readonly play: (stage: Stage) => Promise<string> };

export async function demo(keep: boolean, context: CommandContext): Promise<void> {
  const { output, now } = context;
  const folder = mkdtempSync(join(tmpdir(), 'sshtrail-demo-'));
  const data = dataDirectory(join(folder, 'data'));
  const startedMs = now();
  const reports: string[] = [];
  const up = await startUp({
    data,
    sshPort: 0,
    playground: true,
    now,
    report: (line) => void reports.push(line),
  });
  output.line(
    `ready after ${seconds(startedMs, now())}: gateway on port ${up.running.gateway.address.port}, targets ${up.playground?.targets.map(({ name }) => name).join(', ')}`,
  );
  try {
    const stage: Stage = { data, up, login: up.playground?.login ?? '', askpass: writeAskpass(folder), now };
    for (const [index, step] of steps.entries()) {
      const stepMs = now();
      const found = await step.play(stage);
      output.line(`${index + 1}. ${step.title} (${seconds(stepMs, now())})`);
      output.line(`   ${found}`);
    }
    output.line(`all ${steps.length} steps held, in ${seconds(startedMs, now())}`);
  } catch (error) {
    for (const report of reports) output.note(report);
    throw error;
  } finally {
    await up.close('the demo has ended');
    if (keep) output.line(`the data directory is ${data.root}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

const steps: readonly Step[] = [
  { title: 'an engineer runs commands on the playground with a stock ssh client', play: runCommands },
  { title: 'policy denies: a command, and production without a second factor', play: beDenied },
  {
    title:
      'a session with a second factor opens on production; one without opens on staging, and runbook SSH-002 ends it',
    play: beRevoked,
  },
  { title: 'SQL finds what was done and what was denied', play: findBoth },
  { title: 'the recording plays back', play: playBack },
  { title: 'the whole trail verifies', play: verifyAll },
  { title: 'one byte of one event file is changed, and verification names file and record', play: tamper },
];

async function runCommands(stage: Stage): Promise<string> {
  const exec = await ssh(stage, ['playground@gateway', 'echo hello from $(uname -s); exit 3']);
  expect(
    exec.code === 3 && exec.stdout.startsWith('hello from '),
    `the command printed ${JSON.stringify(exec.stdout)} and exited with ${exec.code}: ${exec.stderr}`,
  );
  const shell = await ssh(stage, ['playground@gateway'], {
    terminal: true,
    stdin: 'echo typed $((6*7))\nexit\n',
  });
  expect(
    shell.stdout.includes('typed 42'),
    `the shell printed ${JSON.stringify(shell.stdout)}: ${shell.stderr}`,
  );
  return 'a command exited with its own status 3, and a shell on a terminal took typed commands';
}

async function beDenied(stage: Stage): Promise<string> {
  const command = await ssh(stage, ['playground@gateway', 'reboot --please']);
  expect(
    command.code !== 0 && command.stderr.includes('no-halting'),
    `reboot was not denied: ${command.stderr}`,
  );
  const production = await ssh(stage, ['production@gateway', 'true']);
  expect(
    production.code === 255 && production.stderr.includes('second factor'),
    `production was not denied: ${production.stderr}`,
  );
  return firstLine(production.stderr);
}

async function beRevoked(stage: Stage): Promise<string> {
  const withFactor = start(stage, ['production@gateway-mfa', 'echo open; sleep 600'], { code: true });
  await until(
    () => withFactor.stdout().includes('open'),
    10_000,
    () => `the session with a second factor did not open: ${withFactor.stderr()}`,
  );
  const startedMs = stage.now();
  const without = start(stage, ['staging@gateway'], { terminal: true });
  try {
    await until(
      () => without.ended(),
      15_000,
      () => 'the session without a second factor was still open after 15 s',
    );
    const tookMs = stage.now() - startedMs;
    expect(
      without.stderr().includes('SSH-002') || without.stdout().includes('second factor'),
      `the engineer did not see why: ${without.stderr()} ${without.stdout()}`,
    );
    expect(!withFactor.ended(), `the session with a second factor ended, too: ${withFactor.stderr()}`);
    return `ended ${(tookMs / 1000).toFixed(1)} s after it began; the engineer read: ${firstLine(without.stderr())}`;
  } finally {
    await without.stop();
    await withFactor.stop();
  }
}

async function findBoth(stage: Stage): Promise<string> {
  const commands = await query(
    stage,
    "SELECT command, error_code FROM events WHERE event_name = 'ExecuteCommand' ORDER BY event_time",
  );
  expect(
    commands.some(
      (row) => cellText(row['command'] ?? null).startsWith('echo hello') && row['error_code'] === null,
    ),
    `the command is not in the lake: ${JSON.stringify(commands)}`,
  );
  expect(
    commands.some((row) => row['command'] === 'reboot --please' && row['error_code'] === 'AccessDenied'),
    `the denial is not in the lake: ${JSON.stringify(commands)}`,
  );
  const revoked = await query(stage, "SELECT end_reason, mfa FROM sessions WHERE end_reason = 'Revoked'");
  expect(
    revoked.length === 1 && revoked[0]?.['mfa'] === false,
    `not exactly one session without a second factor was revoked: ${JSON.stringify(revoked)}`,
  );
  return `${commands.length} commands, of which ${commands.filter((row) => row['error_code'] !== null).length} denied; one session revoked`;
}

async function playBack(stage: Stage): Promise<string> {
  const [shell] = await query(
    stage,
    "SELECT session_id FROM events WHERE event_name = 'StoreRecording' AND session_id IN (SELECT session_id FROM events WHERE event_name = 'OpenShell' AND target_name = 'playground')",
  );
  expect(shell !== undefined, 'the shell has no recording');
  const played = await runSelf(stage, ['play', cellText(shell?.['session_id'] ?? null), '--speed', '0']);
  expect(
    played.code === 0 && played.stdout.includes('typed 42'),
    `the recording played ${JSON.stringify(played.stdout)}: ${played.stderr}`,
  );
  return `sshtrail play ${cellText(shell?.['session_id'] ?? null)} shows what the terminal showed`;
}

async function verifyAll(stage: Stage): Promise<string> {
  await stage.up.running.journal.sealNow();
  const verification = await verifyData(stage.data, stage.now);
  expect(verification.ok, `the trail does not verify: ${JSON.stringify(verification.problems)}`);
  return `${verification.streams.map(({ stream, records }) => `${records} records of ${stream}`).join(', ')}; ${verification.recordings.intact} recordings whole`;
}

async function tamper(stage: Stage): Promise<string> {
  const copy = dataDirectory(join(stage.data.root, '..', 'tampered'));
  cpSync(stage.data.lake, copy.lake, { recursive: true });
  const events = join(copy.lake, 'events');
  const file = readdirSync(events, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith('.ndjson.gz'),
  );
  expect(file !== undefined, 'there is no event file');
  const path = join(events, file ?? '');
  const bytes = readFileSync(path);
  const middle = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);

  const verified = await runSelf(stage, ['verify', '--data', copy.root]);
  const line = verified.stdout
    .split('\n')
    .find((text) => text.includes(file ?? '') && /record \d+/.test(text));
  expect(
    verified.code === 1 && line !== undefined,
    `verification did not name the file and the record: ${verified.stdout}`,
  );
  return line ?? '';
}

type SshOptions = { readonly terminal?: boolean; readonly code?: boolean; readonly stdin?: string };
type Finished = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

async function ssh(
  stage: Stage,
  args: readonly [string, ...string[]],
  options: SshOptions = {},
): Promise<Finished> {
  const child = start(stage, args, options);
  await until(
    () => child.ended(),
    30_000,
    () => `ssh ${args.join(' ')} did not end: ${child.stderr()}`,
  );
  return { code: child.code(), stdout: child.stdout(), stderr: child.stderr() };
}

/** `args` are the target@host and a command, if any. A code is typed by SSH_ASKPASS, as a password manager would. */
function start(stage: Stage, args: readonly [string, ...string[]], options: SshOptions) {
  const [destination, ...command] = args;
  const flags = ['-F', stage.data.sshConfig, ...(options.terminal === true ? ['-tt'] : [])];
  const secret =
    options.code === true ? readFileSync(join(stage.data.demo, 'alice.totp'), 'utf8').trim() : undefined;
  return observe(
    spawn('ssh', [...flags, `${stage.login}@${destination}`, ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...(secret === undefined
          ? {}
          : {
              SSH_ASKPASS: stage.askpass,
              SSH_ASKPASS_REQUIRE: 'force',
              SSHTRAIL_DEMO_CODE: totpCode(secret, stage.now()),
            }),
      },
    }),
    options.stdin,
  );
}

async function runSelf(stage: Stage, args: readonly string[]): Promise<Finished> {
  const main = join(import.meta.dirname, '..', 'bin', 'sshtrail.ts');
  const withData = args.includes('--data') ? args : [...args, '--data', stage.data.root];
  const child = observe(
    spawn(process.execPath, [main, ...withData], { stdio: ['pipe', 'pipe', 'pipe'] }),
    '',
  );
  await until(
    () => child.ended(),
    30_000,
    () => `sshtrail ${args.join(' ')} did not end: ${child.stderr()}`,
  );
  return { code: child.code(), stdout: child.stdout(), stderr: child.stderr() };
}

function observe(child: ChildProcess, stdin: string | undefined) {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let over = false;
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  // The program may end before it has read its input.
  child.stdin?.on('error', () => undefined);
  if (stdin !== undefined) child.stdin?.end(stdin);
  const closed = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      err.push(Buffer.from(error.message));
      over = true;
      resolve();
    });
    child.once('close', () => {
      over = true;
      resolve();
    });
  });
  return {
    ended: () => over,
    code: () => child.exitCode,
    stdout: () => Buffer.concat(out).toString(),
    stderr: () => Buffer.concat(err).toString(),
    async stop() {
      if (!over) child.kill('SIGTERM');
      await closed;
    },
  };
}

function writeAskpass(folder: string): string {
  const path = join(folder, 'askpass');
  writeFileSync(path, '#!/bin/sh\nprintf "%s\\n" "$SSHTRAIL_DEMO_CODE"\n', { mode: 0o700 });
  return path;
}

async function query(stage: Stage, sql: string): Promise<readonly Row[]> {
  return withLake(stage.data, async (engine) => (await ask(engine, sql, 30_000, 1000)).rows);
}

async function until(holds: () => boolean, deadlineMs: number, complaint: () => string): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new CliError('not-verified', complaint());
    await sleep(50);
  }
}

function expect(holds: boolean, complaint: string): void {
  if (!holds) throw new CliError('not-verified', complaint);
}

function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.includes('sshtrail'))
      ?.trim() ?? text.trim()
  );
}

function seconds(fromMs: number, toMs: number): string {
  return `${((toMs - fromMs) / 1000).toFixed(1)} s`;
}
