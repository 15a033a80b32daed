import { Command, InvalidArgumentError } from 'commander';
import type { Head } from '#core/verify';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';

export type VerifyCommandOptions = DataOption &
  JsonOption & {
    readonly publicKey: readonly string[];
    readonly asOf?: number;
    readonly knownHead: ReadonlyMap<string, Head>;
  };

/** Exit codes: 0 all is as it was signed, 1 it is not, 2 there was nothing to go by. */
export function verifyCommand(context: CommandContext): Command {
  const command = new Command('verify')
    .description(
      'prove that nothing was changed, removed, added or reordered, that every session has its end, and that recordings are whole',
    )
    .argument(
      '[folder]',
      'a data directory, or a lake alone such as a copy of the bucket; the data directory when absent',
    )
    .option(
      '--public-key <file>',
      'an evidence key you trust, PEM; may be repeated (default: the one in the data directory)',
      (file: string, before: readonly string[]) => [...before, file],
      [],
    )
    .option(
      '--as-of <time>',
      'when the folder was copied, ISO 8601: what should have been signed by then is looked for (default: now)',
      copyTime,
    )
    .option(
      '--known-head <stream:number:hash>',
      'a head printed by an earlier run, which must still be there; may be repeated',
      knownHead,
      new Map<string, Head>(),
    )
    .action(async (folder: string | undefined, options: VerifyCommandOptions) =>
      (await import('../verify.ts')).verify(folder, options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail verify',
    'sshtrail verify /mnt/copy-of-the-bucket --public-key evidence.pem.pub --as-of 2026-11-20T18:00:00Z --json',
    'sshtrail verify --known-head gateway-1:1234:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  ]);
}

/** Collects `gateway-1:1234:9f86d0...` as the text output prints it. */
function knownHead(text: string, before: ReadonlyMap<string, Head>): ReadonlyMap<string, Head> {
  const match = /^([a-z0-9][a-z0-9.-]{0,62}):(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  const [, stream, seq, hash] = match ?? [];
  if (stream === undefined || seq === undefined || hash === undefined)
    throw new InvalidArgumentError('expected stream:number:hash as "sshtrail verify" prints it');
  return new Map([...before, [stream, { seq: Number(seq), hash }]]);
}

/** When a copy was made, in milliseconds since the epoch. */
function copyTime(text: string): number {
  const timeMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs)) throw new InvalidArgumentError('expected a time such as 2026-11-20T18:00:00Z');
  return timeMs;
}
