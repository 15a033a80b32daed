import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { createFolderBlobStore, verifyLake } from '#adapters/local';
import type { Head, Verification } from '#core/verify';
import { CliError } from './cli-error.ts';
import {
  type CommandContext,
  chosenData,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from './command-context.ts';
import type { DataDirectory } from './data-directory.ts';
import { gatewayProcess } from './gateway-process.ts';
import { jsonText, printable } from './output.ts';
import { withControl } from './sessions.ts';

export function verifyCommand(context: CommandContext): Command {
  const command = new Command('verify')
    .description(
      'prove that no record was changed, removed or reordered, that every session has its end, and that recordings are whole',
    )
    .option(
      '--known-head <stream:number:hash>',
      'a head printed by an earlier run, which must still be there; may be repeated',
      knownHead,
      new Map<string, Head>(),
    )
    .action(async (options: DataOption & JsonOption & { readonly knownHead: ReadonlyMap<string, Head> }) => {
      const { output } = context;
      const data = chosenData(options, context);
      const verification = await verifyData(data, context.now, options.knownHead);
      if (options.json === true) output.line(jsonText(verification));
      else for (const line of verificationLines(verification)) output.line(line);
      if (!verification.ok)
        throw new CliError(
          'not-verified',
          `${verification.problemsFound} problems: the trail is not what was written; keep this directory as it is`,
        );
    });
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail verify',
    'sshtrail verify --data /mnt/copy --json',
    'sshtrail verify --known-head gateway-1:1234:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  ]);
}

export async function verifyData(
  data: DataDirectory,
  now: () => number,
  knownHeads: ReadonlyMap<string, Head> = new Map(),
): Promise<Verification> {
  if (!existsSync(data.lake) && !existsSync(data.journal)) {
    throw new CliError(
      'unusable-data',
      `${data.root} holds neither lake nor journal; say where the data directory is with --data DIR`,
    );
  }
  return verifyLake(data.root, {
    liveSessions: await liveSessions(data, now),
    recordings: createFolderBlobStore(data.lake),
    knownHeads,
  });
}

/** Sessions that need no end yet. Without a gateway there is none: what it left open must have been closed on record. */
async function liveSessions(data: DataDirectory, now: () => number): Promise<ReadonlySet<string>> {
  if (gatewayProcess(data) === undefined || !existsSync(data.control)) return new Set();
  return withControl(
    data,
    now,
    async (control) => new Set((await control.list('session')).map(({ id }) => id)),
  );
}

/** Collects `gateway-1:1234:9f86d0...` as the text output prints it. */
function knownHead(text: string, before: ReadonlyMap<string, Head>): ReadonlyMap<string, Head> {
  const match = /^([a-z0-9][a-z0-9.-]{0,62}):(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  const [, stream, seq, hash] = match ?? [];
  if (stream === undefined || seq === undefined || hash === undefined)
    throw new InvalidArgumentError('expected stream:number:hash as "sshtrail verify" prints it');
  return new Map([...before, [stream, { seq: Number(seq), hash }]]);
}

function verificationLines(verification: Verification): string[] {
  const { streams, sessions, recordings, problems } = verification;
  return [
    ...streams.map(({ stream, records, lastSeq, headHash }) =>
      printable(
        `stream ${stream}: ${records} records; head ${stream}:${lastSeq}:${headHash} (keep it elsewhere: --known-head)`,
      ),
    ),
    `sessions: ${sessions.started} started, ${sessions.ended} ended, ${sessions.live} live`,
    `recordings: ${recordings.intact} of ${recordings.stored} whole`,
    ...problems.map((problem) =>
      printable(
        `${problem.file}${problem.record === undefined ? '' : `, record ${problem.record}`}: ${problem.message} (${problem.code})`,
      ),
    ),
    verification.ok ? 'verified: nothing was changed, removed or reordered' : 'NOT verified',
  ];
}
