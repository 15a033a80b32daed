declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** `s-` and 32 lower-case hex digits. */
export type SessionId = Branded<'SessionId'>;
/** A session, or one of its channels: `<session>/c<serial>`. */
export type RecordingId = Branded<'RecordingId'>;
/** Name of an audit stream: `[a-z0-9][a-z0-9.-]{0,62}`. One writer at a time. */
export type StreamName = Branded<'StreamName'>;

export function sessionId(text: string): SessionId {
  if (!isSessionId(text))
    throw new RangeError(`not a session id: ${JSON.stringify(text)} (expected s- and 32 hex digits)`);
  return text;
}

export function streamName(text: string): StreamName {
  if (!isStreamName(text))
    throw new RangeError(
      `not a stream name: ${JSON.stringify(text)} (expected a-z, 0-9, dot and dash, at most 63)`,
    );
  return text;
}

function isSessionId(text: string): text is SessionId {
  return /^s-[0-9a-f]{32}$/.test(text);
}

function isStreamName(text: string): text is StreamName {
  return /^[a-z0-9][a-z0-9.-]{0,62}$/.test(text);
}
