import type { BlobKey, RecordingId, SessionId } from '#core/contract';

/** `c` and the channel's serial within its session. */
export type ChannelName = `c${number}`;

const channelNamePattern = /^c[1-9][0-9]{0,9}$/;

export function isChannelName(text: string): text is ChannelName {
  return channelNamePattern.test(text);
}

export function recordingId(session: SessionId, channel: ChannelName): RecordingId {
  const id: string = `${session}/${channel}`;
  if (!isRecordingId(id))
    throw new RangeError(`not a recording: ${JSON.stringify(id)} (expected a session id, / and a channel)`);
  return id;
}

/** The folder of one recording, by the UTC day on which it began: `recordings/dt=YYYY-MM-DD/<session>/<channel>/`. */
export function recordingPrefix(startedAtMs: number, session: SessionId, channel: ChannelName): string {
  const day = new Date(startedAtMs).toISOString().slice(0, 10);
  return `recordings/dt=${day}/${session}/${channel}/`;
}

/** Numbers count from 0. */
export function chunkName(number: number): string {
  return `${String(number).padStart(6, '0')}.cast.gz`;
}

export function manifestKey(prefix: string): BlobKey {
  return `${prefix}manifest.json`;
}

function isRecordingId(text: string): text is RecordingId {
  return /^s-[0-9a-f]{32}\/c[1-9][0-9]{0,9}$/.test(text);
}
