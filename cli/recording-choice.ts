import { createFolderBlobStore } from '#adapters/local';
import type { BlobStore, Row } from '#core/contract';
import { loadManifest, type RecordingManifest } from '#core/recording';
import { CliError } from './cli-error.ts';
import type { DataDirectory } from './data-directory.ts';
import { ask, withLake } from './lake-query.ts';
import { cellText } from './output.ts';

/** A recording somebody asked for, and whose it is. */
export type ChosenRecording = {
  readonly store: BlobStore;
  /** Of its manifest. */
  readonly key: string;
  readonly manifest: RecordingManifest;
  readonly userName: string;
  /** `login@target`. */
  readonly place: string;
};

type Found = Omit<ChosenRecording, 'store' | 'manifest'> & { readonly sessionId: string };

/** The one recording of the session that begins with `id`, or that of `channel` where it has several. */
export async function chooseRecording(
  data: DataDirectory,
  id: string,
  channel: string | undefined,
  signal: AbortSignal,
): Promise<ChosenRecording> {
  if (!/^s-[0-9a-f]{0,32}$/.test(id))
    throw new CliError(
      'bad-input',
      `${JSON.stringify(id)} is no session id: they look like s-01937c2e...; "sshtrail last" lists them`,
    );
  const { key, userName, place } = await withLake(data, async (engine) => {
    const sql = `SELECT DISTINCT session_id, user_name, target_user, target_name,
      json_extract_scalar(response, '$.recordingKey') AS key FROM events
      WHERE event_name = 'StoreRecording' AND session_id LIKE '${id}%' ORDER BY session_id, key`;
    const { rows } = await ask(engine, sql, 60_000, 1000, signal);
    return onlyRecording(rows.map(foundRecording), id, channel);
  });
  const store = createFolderBlobStore(data.lake);
  return { store, key, manifest: await loadManifest(store, key), userName, place };
}

/** @throws CliError where the recording ends before that second */
export function checkSecond(seconds: number, { seconds: length }: RecordingManifest): number {
  if (seconds > length)
    throw new CliError(
      'bad-input',
      `the recording is ${length.toFixed(1)} seconds long; choose an earlier --at`,
    );
  return seconds;
}

function foundRecording(row: Row): Found {
  const text = (column: string) => cellText(row[column] ?? null);
  return {
    sessionId: text('session_id'),
    key: text('key'),
    userName: text('user_name'),
    place: `${text('target_user')}@${text('target_name')}`,
  };
}

function onlyRecording(recordings: readonly Found[], id: string, channel: string | undefined): Found {
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
  return only;
}
