import type { LiveSession } from '#core/contract';
import { type CommandContext, chosenApi, chosenData } from './command-context.ts';
import type { KillOptions, SessionsOptions } from './commands/sessions.ts';
import { jsonText, printable, table } from './output.ts';

/** Whoever knows the open sessions: this machine's data directory, or a deployment's API. */
export type SessionDesk = {
  /** Oldest first, with what else has to be said of them. */
  list(): Promise<{ readonly sessions: readonly LiveSession[]; readonly note?: string }>;
  /** Ends the one whose id begins so; resolves when it is over. Refuses with a sentence. */
  end(start: string, reason: string): Promise<LiveSession>;
};

export async function sessions(options: SessionsOptions, context: CommandContext): Promise<void> {
  const { output, now } = context;
  const { sessions: open, note } = await (await deskFor(options, context)).list();
  if (options.json === true) output.line(jsonText(open));
  else {
    const rows = open.map((session) => rowOf(session, now()));
    for (const line of table(columns, rows, output.colour)) output.line(line);
  }
  if (note !== undefined) output.note(note);
}

export async function kill(start: string, options: KillOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  const desk = await deskFor(options, context);
  const { sessionId, identity, login, target } = await desk.end(start, options.reason);
  if (options.json === true) output.line(jsonText({ sessionId, ended: true }));
  else output.line(printable(`ended ${sessionId} (${identity} as ${login} on ${target})`));
}

async function deskFor(options: SessionsOptions, context: CommandContext): Promise<SessionDesk> {
  const api = chosenApi(options, context);
  return api === undefined
    ? (await import('./sessions-locally.ts')).localSessions(chosenData(options, context), context)
    : (await import('./sessions-by-api.ts')).apiSessions(api, options, context);
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
