import { type FileHandle, open, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { exportEvidence } from '#core/event';
import { openRecordingAt } from '#core/recording';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData } from './command-context.ts';
import type { ExportOptions } from './commands/export.ts';
import { recordByHand } from './own-journal.ts';
import { readPlayerFiles } from './player-files.ts';
import { type ChosenRecording, checkSecond, chooseRecording } from './recording-choice.ts';
import { systemErrorCode } from './system-error.ts';

export async function exportSession(
  id: string,
  options: ExportOptions,
  context: CommandContext,
): Promise<void> {
  const { format, output: path } = options;
  if (path === undefined && format !== 'text' && context.output.terminal !== undefined)
    throw new CliError('bad-input', `a ${format} is no text for a terminal; name a file with --output FILE`);
  const data = chosenData(options, context);
  const recording = await chooseRecording(data, id, options.channel, context.signal);
  const { sessionId, recordingId } = recording.manifest;
  const at = checkSecond(options.at, recording.manifest);
  // On record before anything of it is given out.
  await recordByHand(
    data,
    context,
    exportEvidence(userInfo().username, context.now(), {
      sessionId,
      recordingId,
      key: recording.key,
      format,
      fromSecond: at,
    }),
  );
  const parts = await exported(recording, at, options);
  if (path === undefined) for await (const part of parts) await context.output.write(part, context.signal);
  else {
    await writeFile(path, parts, context.signal);
    context.output.note(`wrote ${path}`);
  }
}

async function exported(
  { store, key, manifest, userName, place }: ChosenRecording,
  at: number,
  { format, idleLimit }: ExportOptions,
): Promise<AsyncIterable<string>> {
  // With the terminal emulator, which no other command needs and a gateway would keep in memory.
  const { exportCast, exportText, htmlPage, playerSource, screenSegments } = await import('#core/replay');
  if (format === 'html') {
    const segments = screenSegments(store, key, manifest);
    const source = playerSource(segments, { seconds: manifest.seconds, idleLimitSeconds: idleLimit });
    const started = new Date(manifest.startedAtMs).toISOString();
    const text = {
      title: `${userName} on ${place}, ${started}`,
      facts: [
        ['Session', manifest.sessionId],
        ['Channel', `${manifest.channel} (${manifest.kind})`],
        ['Duration', `${manifest.seconds.toFixed(1)} s`],
        ['Waits', idleLimit === undefined ? 'as they were' : `shortened to ${idleLimit} s`],
        ...(manifest.omissions ?? []).map(
          ({ reason, fromSecond, bytes }) =>
            ['Not recorded', `${bytes ?? 'unknown'} bytes from second ${fromSecond} (${reason})`] as const,
        ),
      ],
    } as const;
    return htmlPage(source, text, await readPlayerFiles(), { startSeconds: at });
  }
  const opened = await openRecordingAt(store, key, manifest, at);
  if (format === 'text') return exportText(opened);
  return exportCast(manifest, opened, {
    version: format === 'cast2' ? 2 : 3,
    ...(at > 0 ? { fromSeconds: at } : {}),
    idleLimitSeconds: idleLimit,
    title: `${userName} on ${place}`,
  });
}

/** Evidence never replaces a file, follows no link, and is nobody else's to read; half of it is none. */
export async function writeFile(
  path: string,
  parts: AsyncIterable<string | Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (cause) {
    const code = systemErrorCode(cause) ?? 'unknown';
    throw new CliError(
      'bad-input',
      code === 'EEXIST'
        ? `${path} is there already; choose another name, or remove it first`
        : `cannot write ${path} (${code}); choose another place with --output`,
      { cause },
    );
  }
  try {
    for await (const part of parts) {
      signal.throwIfAborted();
      await file.appendFile(part);
    }
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}
