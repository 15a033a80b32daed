import { type BlobKey, sessionId } from '#core/contract';
import { isChannelName, type SpoolChannel } from '#core/recording';

/** What an object of the spool is. */
export type SpoolObject = SpoolChannel &
  ({ readonly kind: 'head' } | { readonly kind: 'piece'; readonly chunk: number; readonly piece: number });

const objectPattern =
  /^spool\/(s-[0-9a-f]{32})\/(c[0-9]{1,10})\/(?:(head)\.json|([0-9]{1,7})-([0-9]{1,7})\.cast)$/;

export function spoolPrefix(session: string): string {
  return `spool/${session}/`;
}

export function channelPrefix({ sessionId: session, channel }: SpoolChannel): string {
  return `${spoolPrefix(session)}${channel}/`;
}

export function headKey(channel: SpoolChannel): BlobKey {
  return `${channelPrefix(channel)}head.json`;
}

/** Pieces of a chunk count from 0, without gaps. */
export function pieceKey(channel: SpoolChannel, chunk: number, piece: number): BlobKey {
  return `${channelPrefix(channel)}${chunk}-${piece}.cast`;
}

/** Undefined for whatever the spool did not put there. */
export function parseSpoolKey(key: BlobKey): SpoolObject | undefined {
  const [, session, channel, head, chunk, piece] = objectPattern.exec(key) ?? [];
  if (session === undefined || channel === undefined || !isChannelName(channel)) return undefined;
  const of = { sessionId: sessionId(session), channel };
  if (head !== undefined) return { ...of, kind: 'head' };
  const object = { ...of, kind: 'piece', chunk: Number(chunk), piece: Number(piece) } as const;
  return pieceKey(of, object.chunk, object.piece) === key ? object : undefined;
}
