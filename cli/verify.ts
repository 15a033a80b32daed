import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createFolderBlobStore, verifyLake, verifyLakeFolder } from '#adapters/local';
import type { DigestKey } from '#core/digest';
import type { Head, Progress, Verification } from '#core/verify';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData } from './command-context.ts';
import type { VerifyCommandOptions } from './commands/verify.ts';
import { type DataDirectory, dataDirectory } from './data-directory.ts';
import { evidenceKeysBeside, readEvidenceKey } from './evidence-key.ts';
import { gatewayProcess } from './gateway-process.ts';
import { jsonText, type Output, printable } from './output.ts';
import { withControl } from './sessions-locally.ts';

export async function verify(
  folder: string | undefined,
  options: VerifyCommandOptions,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const { verification, signed } = await verifyFolder(folder, options, context);
  if (options.json === true) output.line(jsonText(verification));
  else for (const line of verificationLines(verification, signed)) output.line(line);
  if (!verification.ok)
    throw new CliError(
      'not-verified',
      `${verification.problemsFound} problems: the trail is not what was written; keep this directory as it is`,
    );
  if (!signed)
    throw new CliError(
      'not-verifiable',
      'the chain holds, but nothing was said of who wrote it; name the evidence key with --public-key FILE',
    );
}

/** `signed`: there were keys to verify digests with. */
async function verifyFolder(
  folder: string | undefined,
  options: VerifyCommandOptions,
  context: CommandContext,
): Promise<{ readonly verification: Verification; readonly signed: boolean }> {
  const { output, now } = context;
  const given = options.publicKey.map(readEvidenceKey);
  const shared = {
    knownHeads: options.knownHead,
    asOfMs: options.asOf ?? now(),
    onProgress: progressNotes(output, now),
  };
  if (folder !== undefined && isLake(folder)) {
    const verification = await verifyLakeFolder(resolve(folder), {
      ...shared,
      liveSessions: 'streams',
      recordings: createFolderBlobStore(resolve(folder)),
      ...digestsBy(given, shared.asOfMs),
    });
    return { verification, signed: given.length > 0 };
  }
  const data = folder === undefined ? chosenData(options, context) : dataDirectory(folder);
  const keys = given.length > 0 ? given : evidenceKeysBeside(data);
  if (given.length === 0 && keys.length > 0)
    output.note(
      'the evidence key lies beside what it signed: to prove it to others, keep a copy elsewhere and name it with --public-key',
    );
  const verification = await verifyData(data, now, { ...shared, keys, isCopy: options.asOf !== undefined });
  return { verification, signed: keys.length > 0 };
}

export type VerifyDataOptions = {
  /** Those beside the data when absent. */
  readonly keys?: readonly DigestKey[];
  /** The present when absent. */
  readonly asOfMs?: number;
  /** It is no gateway's directory any more, so that a session is open where its stream goes on. */
  readonly isCopy?: boolean;
  readonly knownHeads?: ReadonlyMap<string, Head>;
  readonly onProgress?: (progress: Progress) => void;
};

export async function verifyData(
  data: DataDirectory,
  now: () => number,
  options: VerifyDataOptions = {},
): Promise<Verification> {
  if (!existsSync(data.lake) && !existsSync(data.journal))
    throw new CliError(
      'not-verifiable',
      `${data.root} holds neither lake nor journal; say where the data directory is with --data DIR`,
    );
  const { keys = evidenceKeysBeside(data), asOfMs = now(), isCopy = false, ...rest } = options;
  return verifyLake(data.root, {
    ...rest,
    liveSessions: isCopy ? 'streams' : await liveSessions(data, now),
    recordings: createFolderBlobStore(data.lake),
    ...digestsBy(keys, asOfMs),
  });
}

function digestsBy(keys: readonly DigestKey[], asOfMs: number) {
  return keys.length === 0 ? {} : { digests: { keys, asOfMs } };
}

function isLake(folder: string): boolean {
  const has = (name: string) => existsSync(join(folder, name));
  return !has('lake') && !has('journal') && (has('events') || has('digests'));
}

/** A note every few seconds while it takes long. */
function progressNotes(output: Output, now: () => number): (progress: Progress) => void {
  let saidAtMs = now();
  return ({ segments, records, problems }) => {
    if (now() - saidAtMs < 3000) return;
    saidAtMs = now();
    output.note(`${segments} segments, ${records} records looked at, ${problems} problems so far`);
  };
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

function verificationLines(verification: Verification, signed: boolean): string[] {
  const { streams, sessions, recordings, problems } = verification;
  return [
    ...streams.map(({ stream, records, lastSeq, headHash, digests }) =>
      printable(
        `stream ${stream}: ${records} records${digests === undefined ? '' : `, ${digests.number} digests, ${digests.state}`}; head ${stream}:${lastSeq}:${headHash} (keep it elsewhere: --known-head)`,
      ),
    ),
    `sessions: ${sessions.started} started, ${sessions.ended} ended, ${sessions.live} live`,
    ...sessions.open.map((sessionId) => printable(`open: ${sessionId}`)),
    `recordings: ${recordings.intact} of ${recordings.stored} whole`,
    ...problems.map((problem) =>
      printable(
        `${problem.file}${problem.record === undefined ? '' : `, record ${problem.record}`}: ${problem.message} (${problem.code})`,
      ),
    ),
    !verification.ok
      ? 'NOT verified'
      : signed
        ? 'verified: nothing was changed, removed or reordered'
        : 'the chain holds; signatures were NOT looked at',
  ];
}
