import { EXTENDED_DATA_STDERR, encodeData, encodeExtendedData } from '../connection/index.ts';
import type { Channel } from './channel.ts';
import type { Leg } from './leg.ts';

/**
 * Writes a line to the terminal behind a channel, where there is one and the window held back for it suffices.
 * Returns whether it was sent.
 */
export function writeNotice(client: Leg, channel: Channel, text: string): boolean {
  const flow = channel.flowFrom('target');
  if (flow === undefined || channel.concluded || !channel.terminal.granted || !channel.terminal.started)
    return false;
  if (channel.progress.target !== 'sending' || channel.progress.client === 'closed') return false;
  const line = noticeLine(text, flow.injectableAtMost);
  if (line === undefined || line.length > flow.injectable) return false;
  flow.inject(line.length);
  client.transport.send(encodeData(channel.numbers.client, line));
  return true;
}

/** A line for the client's standard error, where the window held back suffices; it is taken from there. */
export function stderrLine(channel: Channel, text: string): Buffer | undefined {
  const flow = channel.flowFrom('target');
  if (flow === undefined) return undefined;
  const line = noticeLine(text, flow.injectableAtMost)?.subarray(newLine.length);
  if (line === undefined || line.length > flow.injectable) return undefined;
  flow.inject(line.length);
  return encodeExtendedData(channel.numbers.client, EXTENDED_DATA_STDERR, line);
}

/** The text on a line of its own: nothing in it moves the cursor or ends the line, and it is cut at a character to fit. */
function noticeLine(text: string, maxBytes: number): Buffer | undefined {
  const room = maxBytes - 4;
  if (room <= 0) return undefined;
  const printable = Buffer.from(text.replace(unprintable, ' '), 'utf8');
  let end = Math.min(printable.length, room);
  while (end > 0 && end < printable.length && ((printable[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return Buffer.concat([newLine, printable.subarray(0, end), newLine]);
}

/** Controls, and the format characters that reorder text. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const newLine = Buffer.from('\r\n');
