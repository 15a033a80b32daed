import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFolderBlobStore } from '#adapters/local';
import { type BlobStore, type LiveSession, sessionId } from '#core/contract';
import { joinSession } from '#core/event';
import {
  type CastEvent,
  type ChannelName,
  type FollowedRecording,
  followRecording,
  isChannelName,
  play,
} from '#core/recording';
import { openSpool } from '../proxy-task/index.ts';
import { auditWriters } from './audit-writer.ts';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData } from './command-context.ts';
import type { WatchOptions } from './commands/watch.ts';
import type { DataDirectory } from './data-directory.ts';
import { gatewayProcess } from './gateway-process.ts';
import { readConfiguration } from './installation.ts';
import { onlySession } from './only-match.ts';
import { jsonLine, noteSmallTerminal } from './output.ts';
import { recordByHand } from './own-journal.ts';
import { openSessions, withControl } from './sessions-locally.ts';

/** The recorder has output on disk within a tenth of a second of what it does not hold back. */
const lookEveryMs = 200;

/** What is watched, and how to know of it. */
type Watched = {
  readonly session: LiveSession;
  readonly spool: ReturnType<typeof openSpool>;
  readonly store: BlobStore;
  /** Whether the session, and the gateway that has it, go on. */
  readonly lives: () => Promise<boolean>;
  readonly pause: () => Promise<void>;
};

export async function watch(id: string, options: WatchOptions, context: CommandContext): Promise<void> {
  const data = chosenData(options, context);
  const { now, output, signal } = context;
  const wanted = channelOption(options.channel);
  await withControl(data, now, async (control) => {
    const session = onlySession(await openSessions(control), id);
    const watched: Watched = {
      session,
      spool: openSpool(spoolOf(data, session)),
      store: createFolderBlobStore(data.lake),
      lives: async () =>
        gatewayProcess(data) !== undefined && (await control.get('session', session.sessionId)) !== undefined,
      pause: () => sleep(lookEveryMs, undefined, { signal }),
    };
    if (!(await watched.lives()))
      throw new CliError(
        'not-running',
        `no gateway is running on ${data.root}, so ${session.sessionId} does not go on; play it when the next start has stored it`,
      );
    // On record before anything of it is shown.
    await recordByHand(data, context, joinSession(userInfo().username, now(), session, wanted));
    output.note(
      `watching ${session.sessionId}: ${session.identity} as ${session.login} on ${session.target}; Ctrl-C leaves it`,
    );
    await watchChannels(watched, wanted, options, context);
    output.note('the session has ended');
  });
}

/** Where the process that has the session keeps what is not stored yet. */
function spoolOf(data: DataDirectory, { proxyId }: LiveSession): string {
  const { gateway } = readConfiguration(data);
  const writers = auditWriters(data, gateway);
  const [, number] = proxyId.startsWith(`${gateway.proxyId}-w`) ? (/-w([1-9]\d?)$/.exec(proxyId) ?? []) : [];
  const writer = [writers.main, ...(number === undefined ? [] : [writers.worker(Number(number))])].find(
    (each) => each.proxyId === proxyId,
  );
  if (writer === undefined)
    throw new CliError(
      'not-found',
      `the session is at ${JSON.stringify(proxyId)}, which is no gateway of this data directory; watch it there`,
    );
  return writer.spool;
}

/** One channel at a time, the newest first; the next one when it ends, until the session does. */
async function watchChannels(
  watched: Watched,
  wanted: ChannelName | undefined,
  options: WatchOptions,
  context: CommandContext,
): Promise<void> {
  const seen = new Set<ChannelName>();
  for (;;) {
    const mayGrow = await watched.lives();
    const next = await nextChannel(watched, seen, wanted, context);
    if (next === undefined) {
      if (!mayGrow || (wanted !== undefined && seen.has(wanted))) return;
      await watched.pause();
      continue;
    }
    seen.add(next);
    await watchChannel(watched, next, options, context);
  }
}

async function nextChannel(
  { session, spool }: Watched,
  seen: ReadonlySet<ChannelName>,
  wanted: ChannelName | undefined,
  { output }: CommandContext,
): Promise<ChannelName | undefined> {
  const open = (await spool.channelsOf(sessionId(session.sessionId))).filter((each) => !seen.has(each));
  if (wanted !== undefined) return open.find((each) => each === wanted);
  const newest = open.at(-1);
  if (open.length > 1)
    output.note(`${open.join(', ')} are open; this is ${newest}, and --channel chooses another`);
  return newest;
}

async function watchChannel(
  watched: Watched,
  name: ChannelName,
  options: WatchOptions,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const { spool, store, pause, lives } = watched;
  const session = sessionId(watched.session.sessionId);
  const channelId = { sessionId: session, channel: name };
  const recording = await followRecording({
    channel: channelId,
    spool,
    store,
    pause,
    isOpen: async () => (await spool.channelsOf(session)).includes(name) && (await lives()),
  });
  const { head } = recording;
  const command = head.command === undefined ? '' : `: ${JSON.stringify(head.command)}`;
  output.note(`${name}: ${head.kind}, ${head.columns}x${head.rows}${command}`);
  const outcomes: ('stored' | 'lost')[] = [];
  async function* events(): AsyncGenerator<CastEvent, void, undefined> {
    outcomes.push(yield* recording.events);
  }
  if (options.json === true)
    for await (const event of events()) output.line(jsonLine([event.time, event.code, event.data]));
  else await show(recording, events(), context);
  output.note(
    outcomes.includes('stored')
      ? `${name} has ended`
      : `${name} has ended with its gateway, or its recording could not be stored`,
  );
}

async function show(
  { head, snapshot }: FollowedRecording,
  events: AsyncIterable<CastEvent>,
  { output, signal }: CommandContext,
): Promise<void> {
  noteSmallTerminal(output, head);
  await play(events, {
    speed: Infinity,
    screen: snapshot.screen,
    isPiped: output.terminal === undefined,
    sleep: async () => undefined,
    write: (text) => output.write(text, signal),
  });
}

function channelOption(text: string | undefined): ChannelName | undefined {
  if (text === undefined || isChannelName(text)) return text;
  throw new CliError('bad-input', `${JSON.stringify(text)} is no channel; give c and a number, such as c2`);
}
