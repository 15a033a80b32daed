import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { createFolderBlobStore, verifyLake } from '#adapters/local';
import type { Verification } from '#core/verify';
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
    .action(async (options: DataOption & JsonOption) => {
      const { output } = context;
      const data = chosenData(options, context);
      const verification = await verifyData(data, context.now);
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
  ]);
}

export async function verifyData(data: DataDirectory, now: () => number): Promise<Verification> {
  if (!existsSync(data.lake) && !existsSync(data.journal)) {
    throw new CliError(
      'unusable-data',
      `${data.root} holds neither lake nor journal; say where the data directory is with --data DIR`,
    );
  }
  return verifyLake(data.root, {
    liveSessions: await liveSessions(data, now),
    recordings: createFolderBlobStore(data.lake),
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

export function verificationLines(verification: Verification): string[] {
  const { streams, sessions, recordings, problems } = verification;
  return [
    ...streams.map((stream) =>
      printable(
        `stream ${stream.stream}: ${stream.records} records, ${stream.firstSeq} to ${stream.lastSeq}`,
      ),
    ),
    `sessions: ${JSON.stringify(sessions)}`,
    `recordings: ${recordings.intact} of ${recordings.stored} whole`,
    ...problems.map((problem) =>
      printable(
        `${problem.file}${problem.record === undefined ? '' : `, record ${problem.record}`}: ${problem.message} (${problem.code})`,
      ),
    ),
    verification.ok ? 'verified: nothing was changed, removed or reordered' : 'NOT verified',
  ];
}
