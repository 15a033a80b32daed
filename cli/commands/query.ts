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

export type QueryOptions = DataOption & JsonOption & { readonly rows: number; readonly timeout: number };

/** Rows it prints at most, unless it is told another number. */
const defaultRowLimit = 10_000;

export function queryCommand(context: CommandContext): Command {
  const command = new Command('query')
    .description('ask the lake anything, in SQL (tables: events, sessions, commands, denials)')
    .argument('<sql>', 'one SELECT; the columns are in docs/query.md')
    .option('--rows <n>', 'print at most this many rows', positiveInteger, defaultRowLimit)
    .option('--timeout <seconds>', 'give up after this long', positiveInteger, 60)
    .action(async (sql: string, options: QueryOptions) =>
      (await import('../query.ts')).query(sql, options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail query "SELECT event_time, user_name, target_name, command FROM commands ORDER BY event_time DESC LIMIT 20"',
    `sshtrail query "SELECT deny_reason, count(*) AS n FROM denials GROUP BY deny_reason" --json`,
    `sshtrail query "SELECT session_id, user_name FROM sessions WHERE mfa IS DISTINCT FROM true"`,
  ]);
}
