import { type CommandContext, chosenData } from './command-context.ts';
import type { QueryOptions } from './commands/query.ts';
import { ask, withLake } from './lake-query.ts';
import { jsonText, table } from './output.ts';

export async function query(sql: string, options: QueryOptions, context: CommandContext): Promise<void> {
  const { output, signal } = context;
  const answer = await withLake(chosenData(options, context), (engine) =>
    ask(engine, sql, options.timeout * 1000, options.rows, signal),
  );
  if (options.json === true) output.line(jsonText(answer.rows));
  else for (const line of table(answer.columns, answer.rows, output.colour)) output.line(line);
  if (answer.truncated) output.note(`only the first ${options.rows} rows; ask for more with --rows N`);
  else if (options.json !== true) output.note(`${answer.rows.length} rows`);
}
