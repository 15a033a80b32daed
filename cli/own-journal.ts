import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { JournalError, openJournal } from '#adapters/local';
import type { Configuration } from '#core/configuration';
import { type AuditDraft, type Journal, streamName } from '#core/contract';
import type { CommandContext } from './command-context.ts';
import type { DataDirectory } from './data-directory.ts';
import { digestSettings } from './evidence-key.ts';
import { readConfiguration } from './installation.ts';

/** A person at the command line writes to a stream of its own, and so never waits for the gateway's journal. */
export async function openOwnJournal(
  data: DataDirectory,
  configuration: Configuration,
  { now, output }: Pick<CommandContext, 'now' | 'output'>,
): Promise<Journal> {
  const { gateway } = configuration;
  return openJournal({
    directory: data.root,
    stream: streamName('by-hand'),
    origin: {
      eventSource: gateway.eventSource,
      awsRegion: gateway.region,
      recipientAccountId: gateway.account,
    },
    proxyId: 'by-hand',
    now,
    randomBytes,
    digests: await digestSettings(data, configuration),
    onFault: (error) => output.note(error.message),
  });
}

const attempts = 50;
const betweenAttemptsMs = 100;

/** One event, durable when this resolves. Waits a few seconds for another command that writes to the same stream. */
export async function recordByHand(
  data: DataDirectory,
  context: Pick<CommandContext, 'now' | 'output' | 'signal'>,
  draft: AuditDraft,
): Promise<void> {
  const journal = await openUnlocked(data, readConfiguration(data), context);
  try {
    await journal.record(draft);
  } finally {
    await journal.close();
  }
}

async function openUnlocked(
  data: DataDirectory,
  configuration: Configuration,
  context: Pick<CommandContext, 'now' | 'output' | 'signal'>,
): Promise<Journal> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await openOwnJournal(data, configuration, context);
    } catch (error) {
      if (!(error instanceof JournalError && error.code === 'locked') || attempt === attempts) throw error;
      await sleep(betweenAttemptsMs, undefined, { signal: context.signal });
    }
  }
}
