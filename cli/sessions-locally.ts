import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSqliteControlStore } from '#adapters/local';
import type { ControlStore, LiveSession } from '#core/contract';
import { CliError } from './cli-error.ts';
import type { CommandContext } from './command-context.ts';
import type { DataDirectory } from './data-directory.ts';
import { gatewayProcess } from './gateway-process.ts';
import { readConfiguration } from './installation.ts';
import { onlySession } from './only-match.ts';
import type { SessionDesk } from './sessions.ts';
import { withoutSecrets } from './without-secrets.ts';

/** How long `kill` waits for the session to be gone. */
const killDeadlineMs = 10_000;
const revocationLifetimeMs = 86_400_000;

export function localSessions(data: DataDirectory, { now }: CommandContext): SessionDesk {
  return {
    async list() {
      const sessions = await withControl(data, now, openSessions);
      return gatewayProcess(data) === undefined && sessions.length > 0
        ? {
            sessions,
            note: 'the gateway is not running: these sessions died with it, and the next start puts their end on record',
          }
        : { sessions };
    },
    async end(start, reason) {
      if (gatewayProcess(data) === undefined)
        throw new CliError(
          'not-running',
          `no gateway is running on ${data.root}, so no session is open; start one with "sshtrail up"`,
        );
      const said = withoutSecrets(reason, readConfiguration(data));
      return withControl(data, now, (control) => end(control, start, said, now));
    },
  };
}

async function end(
  control: ControlStore,
  start: string,
  reason: string,
  now: () => number,
): Promise<LiveSession> {
  const session = onlySession(await openSessions(control), start);
  const { sessionId } = session;
  const by = userInfo().username;
  await control.put(
    'revocation',
    sessionId,
    { sessionId, by, message: `${reason} (${by})`, atMs: now() },
    { kind: 'any' },
    now() + revocationLifetimeMs,
  );
  const deadline = now() + killDeadlineMs;
  while ((await control.get('session', sessionId)) !== undefined) {
    if (now() > deadline)
      throw new CliError(
        'not-running',
        `${sessionId} is still open after ${killDeadlineMs / 1000} s; see whether the gateway is alive with "sshtrail doctor"`,
      );
    await sleep(50);
  }
  return session;
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
