import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { createFolderBlobStore } from '#adapters/local';
import type { BlobStore } from '#core/contract';
import { castEvents, loadManifest, play, type RecordingManifest, recordingBytes } from '#core/recording';
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
import { ask, withLake } from './lake-query.ts';
import { cellText, jsonLine } from './output.ts';

type Options = DataOption &
  JsonOption & { readonly speed: number; readonly idleLimit: number; readonly channel?: string };

export function playCommand(context: CommandContext): Command {
  const command = new Command('play')
    .description('play what a session showed, in this terminal')
    .argument('<session>', 'the session id, or enough of its start to be the only one')
    .option('--speed <n>', '2 is twice as fast; 0 shows everything at once', notNegative, 1)
    .option('--idle-limit <seconds>', 'never wait longer than this', notNegative, 2)
    .option('--channel <name>', 'which of the recordings of a session that has several, such as c2')
    .action((id: string, options: Options) => playSession(id, options, context));
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail play s-01937c2e',
    'sshtrail play s-01937c2e --speed 4',
    'sshtrail play s-01937c2e --json    # one event a line',
  ]);
}

async function playSession(id: string, options: Options, context: CommandContext): Promise<void> {
  const data = chosenData(options, context);
  const key = await withLake(data, async (engine) => {
    if (!/^s-[0-9a-f]{0,32}$/.test(id))
      throw new CliError(
        'bad-input',
        `${JSON.stringify(id)} is no session id: they look like s-01937c2e...; "sshtrail last" lists them`,
      );
    const sql = `SELECT DISTINCT session_id, json_extract_scalar(response, '$.recordingKey') AS key FROM events
      WHERE event_name = 'StoreRecording' AND session_id LIKE '${id}%' ORDER BY session_id, key`;
    const { rows } = await ask(engine, sql, 60_000, 1000, context.signal);
    return onlyRecording(
      rows.map((row) => ({
        sessionId: cellText(row['session_id'] ?? null),
        key: cellText(row['key'] ?? null),
      })),
      id,
      options.channel,
    );
  });
  const store = createFolderBlobStore(data.lake);
  const manifest = await loadManifest(store, key);
  if (options.json === true) await printEvents(store, key, manifest, context);
  else await playRecording(store, key, manifest, options, context);
}

async function playRecording(
  store: BlobStore,
  key: string,
  manifest: RecordingManifest,
  options: Options,
  context: CommandContext,
): Promise<void> {
  context.output.note(
    `${manifest.sessionId} ${manifest.channel}: ${manifest.kind}, ${manifest.columns}x${manifest.rows}, ${manifest.seconds.toFixed(1)} s, from ${new Date(manifest.startedAtMs).toISOString()}`,
  );
  await play(castEvents(recordingBytes(store, key, manifest)), {
    speed: options.speed === 0 ? Infinity : options.speed,
    idleLimitSeconds: options.idleLimit,
    sleep: (ms) => sleep(ms, undefined, { signal: context.signal }),
    write: (text) => void process.stdout.write(text),
  });
  if (manifest.truncated)
    context.output.note(
      'the recording was cut off at its size limit; the events say how much more there was',
    );
}

async function printEvents(
  store: BlobStore,
  key: string,
  manifest: RecordingManifest,
  context: CommandContext,
): Promise<void> {
  for await (const event of castEvents(recordingBytes(store, key, manifest)))
    context.output.line(jsonLine([event.time, event.code, event.data]));
}

function onlyRecording(
  recordings: readonly { readonly sessionId: string; readonly key: string }[],
  id: string,
  channel: string | undefined,
): string {
  const sessions = new Set(recordings.map(({ sessionId }) => sessionId));
  if (sessions.size === 0)
    throw new CliError(
      'not-found',
      `no recording of a session that begins with ${JSON.stringify(id)}; a recording is there once its channel has closed, and file transfers have none`,
    );
  if (sessions.size > 1)
    throw new CliError(
      'bad-input',
      `${sessions.size} recorded sessions begin with ${JSON.stringify(id)}; give more of the id`,
    );
  const chosen =
    channel === undefined ? recordings : recordings.filter(({ key }) => key.includes(`/${channel}/`));
  const [only] = chosen;
  const names = recordings.map(({ key }) => key.split('/').at(-2) ?? '').join(', ');
  if (only === undefined)
    throw new CliError('not-found', `that session has no recording ${channel}; it has ${names}`);
  if (chosen.length > 1)
    throw new CliError(
      'bad-input',
      `that session has several recordings: choose one of ${names} with --channel`,
    );
  return only.key;
}

function notNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('expected a number from 0');
  return value;
}
