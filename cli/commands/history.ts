import { Command } from 'commander';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';
import { positiveInteger } from '../option-values.ts';

export type HistoryOptions = DataOption & JsonOption & { readonly lines: number };

/** last(1) over the lake: sessions, newest first, with how long they took and why they ended. */
export function lastCommand(context: CommandContext): Command {
  const command = historyCommand(
    'last',
    'who was where: sessions, newest first (as last does for logins)',
    (lines) => `SELECT session_id, user_name, target_user, target_name, source_ip, mfa, started_at,
      CASE WHEN still_open THEN 'still open' ELSE CAST(date_diff('second', started_at, ended_at) AS VARCHAR) || ' s' END AS duration, end_reason
      FROM sessions ORDER BY started_at DESC, session_id LIMIT ${lines}`,
    context,
  );
  return withExamples(command, ['sshtrail last', 'sshtrail last -n 5', 'sshtrail last --json']);
}

/** lastb(1) over the lake: logins that failed and access that was denied, newest first. */
export function deniedCommand(context: CommandContext): Command {
  const command = historyCommand(
    'denied',
    'who was refused what: failed logins and denied access, newest first (as lastb does)',
    (
      lines,
    ) => `SELECT event_time, event_name, user_name, source_ip, target_user, target_name, error_code, deny_reason, command, error_message
      FROM events WHERE error_code IS NOT NULL ORDER BY event_time DESC, event_id DESC LIMIT ${lines}`,
    context,
  );
  return withExamples(command, ['sshtrail denied', 'sshtrail denied -n 100 --json']);
}

function historyCommand(
  name: string,
  description: string,
  sql: (lines: number) => string,
  context: CommandContext,
): Command {
  const command = new Command(name)
    .description(description)
    .option('-n, --lines <n>', 'show at most this many', positiveInteger, 30)
    .action(async (options: HistoryOptions) =>
      (await import('../history.ts')).history(sql(options.lines), options, context),
    );
  return withJsonOption(withDataOption(command));
}
