import { WireError, WireReader } from '../wire/index.ts';
import { ConnectionError } from './connection-error.ts';

/** Longest accepted fields that name things, in bytes. The rest is bounded by the packet. */
export const FieldLimit = {
  /** Types of channels and requests, signals, environment variables, terminals. */
  name: 256,
  /** NI_MAXHOST. */
  host: 1025,
  /** PATH_MAX. */
  path: 4096,
  /** Free text meant for people: the rest is cut off, not refused. */
  description: 1024,
} as const;

/**
 * Reads one message: `read` gets a reader behind the message number.
 *
 * @throws ConnectionError for anything the reader refuses.
 */
export function decodeMessage<T>(payload: Buffer, name: string, read: (reader: WireReader) => T): T {
  try {
    return read(new WireReader(payload, 1));
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new ConnectionError('malformed', `${name} cannot be read: ${cause.message}`, { cause });
  }
}

/** A field that names something: UTF-8 without control characters, so that it can be printed, compared and logged as it is. */
export function nameField(reader: WireReader, what: string, maxBytes: number = FieldLimit.name): string {
  const start = reader.offset;
  const text = reader.text();
  if (reader.offset - start - 4 > maxBytes)
    throw new ConnectionError('too-long', `the ${what} is longer than ${maxBytes} bytes`);
  if (controlCharacter.test(text))
    throw new ConnectionError('malformed', `the ${what} holds a control character`);
  return text;
}

/** Free text for people: what cannot be printed becomes U+FFFD, what is too long is cut. Never refused. */
export function descriptionField(reader: WireReader): string {
  const bytes = reader.string();
  return bytes.toString('utf8', 0, FieldLimit.description).replace(controlCharacters, '\ufffd');
}

/** A TCP port, which RFC 4254 carries in a uint32. */
export function portField(reader: WireReader): number {
  const port = reader.uint32();
  if (port > 65_535) throw new ConnectionError('malformed', `${port} is not a port`);
  return port;
}

const controlCharacter = /\p{Cc}/u;
const controlCharacters = /[\p{Cc}\u2028\u2029]/gu;
