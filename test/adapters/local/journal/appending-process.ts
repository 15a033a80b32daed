import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { openJournal } from '#adapters/local';
import { streamName } from '#core/contract';
import { closeLostSessions, executeCommand, startProxy, startSession } from '#core/event';
import { origin } from '../../../core/chain/sample-chain.ts';
import { sessionFacts } from '../../../core/event/sample-facts.ts';

// Appends without an end, some records at a time, and says the id of each one once it is acknowledged.
const [directory = '', atOnce = '8', sealAfterMs = '30'] = process.argv.slice(2);
process.on('SIGXFSZ', () => undefined);

const journal = await openJournal({
  directory,
  stream: streamName('gateway'),
  origin,
  proxyId: 'p-eu1-a',
  now: () => Date.now(),
  randomBytes,
  sealAfterMs: Number(sealAfterMs),
  sealAfterBytes: Number(sealAfterMs) * 2000,
  onFault: () => undefined,
});
const proxy = { proxyId: 'p-eu1-a', version: '0.1.0' };
const { lostSessions, tornBytes } = journal.recovered;
for (const draft of closeLostSessions(lostSessions, Date.now())) await say(journal.record(draft));
await say(
  journal.record(startProxy(proxy, Date.now(), { listen: [], tornBytes, lostSessions: lostSessions.length })),
);

for (;;) {
  const outcomes = await Promise.all(Array.from({ length: Number(atOnce) }, appendSession));
  if (outcomes.includes('refused')) break;
}
await journal.close();

async function appendSession(): Promise<'acknowledged' | 'refused'> {
  const facts = { ...sessionFacts, sessionId: `s-${randomBytes(16).toString('hex')}` };
  await say(journal.record(startSession(facts, Date.now())));
  const text = 'x'.repeat(Math.floor(Math.random() * 2000));
  return say(journal.record(executeCommand(facts, Date.now(), { command: text, commandSource: 'exec' })));
}

async function say(recorded: ReturnType<typeof journal.record>): Promise<'acknowledged' | 'refused'> {
  try {
    // Straight to the pipe: what is buffered in the process would die with it.
    writeSync(1, `ack ${(await recorded).eventID}\n`);
    return 'acknowledged';
  } catch (error) {
    writeSync(
      1,
      `refused ${error instanceof Error && 'code' in error ? String(error.code) : String(error)}\n`,
    );
    return 'refused';
  }
}
