import { type CommandContext, chosenData } from './command-context.ts';
import type { HistoryOptions } from './commands/history.ts';
import { ask, withLake } from './lake-query.ts';
import { jsonText, table } from './output.ts';

/** Prints what one SELECT over the lake gives, up to as many lines as were asked for. */
export async function history(sql: string, options: HistoryOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  const answer = await withLake(chosenData(options, context), (engine) =>
    ask(engine, sql, 60_000, options.lines, context.signal),
  );
  if (options.json === true) output.line(jsonText(answer.rows));
  else for (const line of table(answer.columns, answer.rows, output.colour)) output.line(line);
}
