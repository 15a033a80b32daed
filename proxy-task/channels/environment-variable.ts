import { type Refusal, setEnvironment } from '#core/event';
import type { Verdict } from '#ssh';
import type { ChannelOwner } from './channel-owner.ts';

/** More than any client sends, and few enough that nobody fills the journal with them. */
const maxVariables = 128;
const tooManyVariables: Refusal = {
  errorCode: 'SessionLimitExceeded',
  denyReason: 'too-many-variables',
  message: `this channel has ${maxVariables} environment variables already; send fewer`,
};

/** Puts a variable on record. Those beyond the limit are refused, and only the first of them is on record. */
export async function judgeVariable(
  owner: Pick<ChannelOwner, 'facts' | 'now' | 'record' | 'redact'>,
  asked: {
    readonly channelId: string;
    /** Counts from 1 within the channel. */
    readonly number: number;
    readonly name: string;
    readonly value: Uint8Array;
  },
): Promise<Verdict> {
  const { channelId, number, name, value } = asked;
  const refused = number > maxVariables ? tooManyVariables : undefined;
  if (number <= maxVariables + 1)
    await owner.record(
      setEnvironment(owner.facts, owner.now(), {
        channelId,
        ...recordedVariable(name, value, owner.redact),
        valueBytes: value.length,
        refused,
      }),
    );
  return refused === undefined
    ? { kind: 'pass' }
    : { kind: 'refuse', message: `sshtrail: ${refused.message}` };
}

/** Beyond what events keep of a value, so that a secret at that bound is still seen whole. */
const maxLookedAtBytes = 4096;

/** What is hidden of a longer value may end before the secret does, so then nothing of it is kept. */
const maxHiddenInPartBytes = 256;

/** A variable as it may be on record. The bytes stay as they were sent where nothing was hidden. */
type RecordedVariable = { readonly name: string; readonly value: string | Uint8Array };

/** The name says whether a value is a secret (`DB_PASSWORD`), so they are looked at together. */
function recordedVariable(
  name: string,
  sent: Uint8Array,
  redact: (text: string) => string,
): RecordedVariable {
  const value = sent.subarray(0, maxLookedAtBytes);
  const before = `${name}=${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8')}`;
  const after = redact(before);
  if (after === before) return { name, value };
  const start = `${name}=`;
  return after.startsWith(start) && sent.length <= maxHiddenInPartBytes
    ? { name, value: after.slice(start.length) }
    : { name: after.startsWith(start) ? name : redact(name), value: '***' };
}
