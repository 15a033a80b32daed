import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { viewRecording } from '#core/event';
import { castEvents, openRecordingAt, play, recordingBytes } from '#core/recording';
import { type CommandContext, chosenData } from './command-context.ts';
import type { PlayOptions } from './commands/play.ts';
import { jsonLine, noteSmallTerminal } from './output.ts';
import { recordByHand } from './own-journal.ts';
import { type ChosenRecording, checkSecond, chooseRecording } from './recording-choice.ts';

export async function playSession(id: string, options: PlayOptions, context: CommandContext): Promise<void> {
  const data = chosenData(options, context);
  const recording = await chooseRecording(data, id, options.channel, context.signal);
  const { sessionId, recordingId } = recording.manifest;
  const at = checkSecond(options.at, recording.manifest);
  // On record before anything of it is shown.
  await recordByHand(
    data,
    context,
    viewRecording(userInfo().username, context.now(), {
      sessionId,
      recordingId,
      key: recording.key,
      fromSecond: at,
    }),
  );
  if (options.json === true) await printEvents(recording, context);
  else await playRecording(recording, at, options, context);
}

async function playRecording(
  recording: ChosenRecording,
  at: number,
  options: PlayOptions,
  { output, signal }: CommandContext,
): Promise<void> {
  const { store, key, manifest } = recording;
  const { snapshot, events } = await openRecordingAt(store, key, manifest, at);
  output.note(
    `${manifest.sessionId} ${manifest.channel}: ${manifest.kind}, ${manifest.columns}x${manifest.rows}, ${manifest.seconds.toFixed(1)} s, from ${new Date(manifest.startedAtMs).toISOString()}`,
  );
  noteSmallTerminal(output, manifest);
  const speed = options.speed ?? (output.terminal === undefined ? 0 : 1);
  await play(events, {
    speed: speed === 0 ? Infinity : speed,
    idleLimitSeconds: options.idleLimit,
    startAtSeconds: at,
    screen: snapshot.screen,
    isPiped: output.terminal === undefined,
    sleep: (ms) => sleep(ms, undefined, { signal }),
    write: (text) => output.write(text, signal),
  });
  for (const { reason, fromSecond } of manifest.omissions ?? [])
    output.note(`output from second ${fromSecond} on is not in the recording (${reason})`);
  if (manifest.truncated)
    output.note('the recording was cut off at its size limit; the events say how much more there was');
}

async function printEvents(
  { store, key, manifest }: ChosenRecording,
  { output }: CommandContext,
): Promise<void> {
  for await (const event of castEvents(recordingBytes(store, key, manifest)))
    output.line(jsonLine([event.time, event.code, event.data]));
}
