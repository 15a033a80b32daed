import { Command, InvalidArgumentError } from 'commander';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';
import { positiveInteger } from '../option-values.ts';

export type SearchOptions = DataOption &
  JsonOption & {
    readonly user?: string;
    readonly target?: string;
    readonly since?: Moment;
    readonly until?: Moment;
    readonly lines: number;
    readonly index?: boolean;
  };

/** A moment, or a time before now. */
type Moment = (nowMs: number) => number;

export function searchCommand(context: CommandContext): Command {
  const command = new Command('search')
    .description('find words in what was run and in what screens said, newest first')
    .argument('<words...>', 'all of them stand in one line, in any case; quote those that stand together')
    .option('--user <name>', 'of this identity only')
    .option('--target <name>', 'on this target only')
    .option('--since <time>', 'not before: ISO 8601, or 30m, 24h, 7d ago', moment)
    .option('--until <time>', 'before: the same', moment)
    .option('-n, --lines <n>', 'show at most this many', positiveInteger, 30)
    .option('--index', 'first make recordings searchable that are not yet, such as old ones')
    .action(async (words: readonly string[], options: SearchOptions) =>
      (await import('../search.ts')).search(words, options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail search "permission denied" sudoers',
    'sshtrail search DROP TABLE --target db1 --since 7d',
    'sshtrail search passwd --user alice --since 2026-11-01 --until 2026-11-08 --json',
  ]);
}

/** `2026-11-01`, `2026-11-01T12:00:00Z`, `30m`, `24h`, `7d`. */
function moment(text: string): Moment {
  const [, count, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  if (count !== undefined) {
    const unitMs = unit === 'm' ? 60_000 : unit === 'h' ? 3_600_000 : 86_400_000;
    return (nowMs) => nowMs - Number(count) * unitMs;
  }
  const isIso = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?Z)?$/.test(text);
  const atMs = isIso ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs))
    throw new InvalidArgumentError(
      'expected a day or a time such as 2026-11-01T12:00Z (UTC), or 30m, 24h, 7d',
    );
  return () => atMs;
}
