import { once } from 'node:events';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { viewRecording } from '#core/event';
import { castEvents, openRecordingAt, play, recordingBytes } from '#core/recording';
import {
  type CommandContext,
  chosenData,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from './command-context.ts';
import { jsonLine } from './output.ts';
import { recordByHand } from './own-journal.ts';
import {
  type ChosenRecording,
  checkSecond,
  chooseRecording,
  notNegative,
  secondsOption,
} from './recording-choice.ts';

type Options = DataOption &
  JsonOption & {
    readonly at: number;
    readonly speed?: number;
    readonly idleLimit: number;
    readonly channel?: string;
  };

export function playCommand(context: CommandContext): Command {
  const command = new Command('play')
    .description('play what a session showed, in this terminal')
    .argument('<session>', 'the session id, or enough of its start to be the only one')
    .option('--at <time>', 'begin there: seconds, 12:30 or 1:02:03 since the start', secondsOption, 0)
    .option(
      '--speed <n>',
      '2 is twice as fast; 0 shows everything at once (default: 1, and 0 into a pipe)',
      notNegative,
    )
    .option('--idle-limit <seconds>', 'never wait longer than this', notNegative, 2)
    .option('--channel <name>', 'which of the recordings of a session that has several, such as c2')
    .action((id: string, options: Options) => playSession(id, options, context));
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail play s-01937c2e',
    'sshtrail play s-01937c2e --at 12:30 --speed 4',
    'sshtrail play s-01937c2e --json    # one event a line',
  ]);
}

async function playSession(id: string, options: Options, context: CommandContext): Promise<void> {
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
  options: Options,
  { output, signal }: CommandContext,
): Promise<void> {
  const { store, key, manifest } = recording;
  const { stdout } = process;
  const { snapshot, events } = await openRecordingAt(store, key, manifest, at);
  output.note(
    `${manifest.sessionId} ${manifest.channel}: ${manifest.kind}, ${manifest.columns}x${manifest.rows}, ${manifest.seconds.toFixed(1)} s, from ${new Date(manifest.startedAtMs).toISOString()}`,
  );
  if (stdout.isTTY && (stdout.columns < manifest.columns || stdout.rows < manifest.rows))
    output.note(`this terminal is smaller (${stdout.columns}x${stdout.rows}); lines may wrap differently`);
  const speed = options.speed ?? (stdout.isTTY ? 1 : 0);
  await play(events, {
    speed: speed === 0 ? Infinity : speed,
    idleLimitSeconds: options.idleLimit,
    startAtSeconds: at,
    screen: snapshot.screen,
    isPiped: !stdout.isTTY,
    sleep: (ms) => sleep(ms, undefined, { signal }),
    async write(text) {
      if (!stdout.write(text)) await once(stdout, 'drain', { signal });
    },
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
