import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSqliteControlStore } from '#adapters/local';
import type { ControlStore, LiveSession } from '#core/contract';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData, type DataOption, type JsonOption } from './command-context.ts';
import type { KillOptions } from './commands/sessions.ts';
import type { DataDirectory } from './data-directory.ts';
import { gatewayProcess } from './gateway-process.ts';
import { jsonText, table } from './output.ts';

/** How long `kill` waits for the session to be gone. */
const killDeadlineMs = 10_000;

export async function sessions(options: DataOption & JsonOption, context: CommandContext): Promise<void> {
  const { output, now } = context;
  const data = chosenData(options, context);
  const open = await withControl(data, now, openSessions);
  if (options.json === true) output.line(jsonText(open));
  else {
    const rows = open.map((session) => rowOf(session, now()));
    for (const line of table(columns, rows, output.colour)) output.line(line);
  }
  if (gatewayProcess(data) === undefined && open.length > 0)
    output.note(
      'the gateway is not running: these sessions died with it, and the next start puts their end on record',
    );
}

export async function kill(id: string, options: KillOptions, context: CommandContext): Promise<void> {
  const { output, now } = context;
  const data = chosenData(options, context);
  if (gatewayProcess(data) === undefined)
    throw new CliError(
      'not-running',
      `no gateway is running on ${data.root}, so no session is open; start one with "sshtrail up"`,
    );
  await withControl(data, now, async (control) => {
    const session = onlyMatch(await openSessions(control), id);
    const by = userInfo().username;
    const message = `${options.reason} (${by})`;
    await control.put(
      'revocation',
      session.sessionId,
      { sessionId: session.sessionId, by, message, atMs: now() },
      { kind: 'any' },
      now() + 86_400_000,
    );
    const deadline = now() + killDeadlineMs;
    while ((await control.get('session', session.sessionId)) !== undefined) {
      if (now() > deadline)
        throw new CliError(
          'not-running',
          `${session.sessionId} is still open after ${killDeadlineMs / 1000} s; see whether the gateway is alive with "sshtrail doctor"`,
        );
      await sleep(50);
    }
    if (options.json === true) output.line(jsonText({ sessionId: session.sessionId, ended: true }));
    else
      output.line(
        `ended ${session.sessionId} (${session.identity} as ${session.login} on ${session.target})`,
      );
  });
}

export async function withControl<Result>(
  data: DataDirectory,
  now: () => number,
  work: (control: ControlStore) => Promise<Result>,
): Promise<Result> {
  if (!existsSync(data.control)) {
    throw new CliError(
      'unusable-data',
      `${data.root} is no data directory of a gateway; run "sshtrail up" first, or say where it is with --data DIR`,
    );
  }
  const control = await openSqliteControlStore(data.control, { now });
  try {
    return await work(control);
  } finally {
    await control.close();
  }
}

export async function openSessions(control: ControlStore): Promise<readonly LiveSession[]> {
  const items = await control.list('session');
  return items.map(({ data }) => data).sort((a, b) => a.startedAtMs - b.startedAtMs);
}

export function onlyMatch(sessions: readonly LiveSession[], id: string): LiveSession {
  const matches = sessions.filter((session) => session.sessionId.startsWith(id));
  const [match] = matches;
  if (match === undefined)
    throw new CliError(
      'not-found',
      `no open session begins with ${JSON.stringify(id)}; "sshtrail sessions" lists them`,
    );
  if (matches.length > 1)
    throw new CliError(
      'bad-input',
      `${matches.length} open sessions begin with ${JSON.stringify(id)}; give more of the id`,
    );
  return match;
}

const columns = ['session_id', 'identity', 'login', 'target', 'source_ip', 'mfa', 'started_at', 'seconds'];

function rowOf(session: LiveSession, nowMs: number) {
  return {
    session_id: session.sessionId,
    identity: session.identity,
    login: session.login,
    target: session.target,
    source_ip: session.sourceIp,
    mfa: session.mfa ? session.mfaMethod : 'none',
    started_at: new Date(session.startedAtMs).toISOString(),
    seconds: Math.round((nowMs - session.startedAtMs) / 1000),
  };
}
