/** Beyond it nothing is looked for, and nothing kept: four times what events and recordings have room for. */
const maxLookedAtBytes = 32 * 1024;

/** A command as it may be on record. */
export type RecordedCommand = { readonly command: Buffer; readonly sentBytes: number };

/** A command without its secrets. The bytes stay as they were sent where nothing was hidden. */
export function recordedCommand(sent: Buffer, redact: (text: string) => string): RecordedCommand {
  const looked = sent.subarray(0, maxLookedAtBytes);
  const before = looked.toString('utf8');
  const after = redact(before);
  return { command: after === before ? looked : Buffer.from(after, 'utf8'), sentBytes: sent.length };
}
