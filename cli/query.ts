import { Command, InvalidArgumentError } from 'commander';
import {
  type CommandContext,
  chosenData,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from './command-context.ts';
import { ask, defaultRowLimit, withLake } from './lake-query.ts';
import { jsonText, table } from './output.ts';

type Options = DataOption & JsonOption & { readonly rows: number; readonly timeout: number };

export function queryCommand(context: CommandContext): Command {
  const command = new Command('query')
    .description('ask the lake anything, in SQL (tables: events, sessions, commands, denials)')
    .argument('<sql>', 'one SELECT; the columns are in docs/query.md')
    .option('--rows <n>', 'print at most this many rows', positiveInteger, defaultRowLimit)
    .option('--timeout <seconds>', 'give up after this long', positiveInteger, 60)
    .action((sql: string, options: Options) => query(sql, options, context));
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail query "SELECT event_time, user_name, target_name, command FROM commands ORDER BY event_time DESC LIMIT 20"',
    `sshtrail query "SELECT deny_reason, count(*) AS n FROM denials GROUP BY deny_reason" --json`,
    `sshtrail query "SELECT session_id, user_name FROM sessions WHERE mfa IS DISTINCT FROM true"`,
  ]);
}

async function query(sql: string, options: Options, context: CommandContext): Promise<void> {
  const { output, signal } = context;
  const answer = await withLake(chosenData(options, context), (engine) =>
    ask(engine, sql, options.timeout * 1000, options.rows, signal),
  );
  if (options.json === true) output.line(jsonText(answer.rows));
  else for (const line of table(answer.columns, answer.rows, output.colour)) output.line(line);
  if (answer.truncated) output.note(`only the first ${options.rows} rows; ask for more with --rows N`);
  else if (options.json !== true) output.note(`${answer.rows.length} rows`);
}

export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1');
  return Number(text);
}
