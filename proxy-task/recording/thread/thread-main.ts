import { randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { OriginalSealing } from '#core/recording';
import { compileRules, type RuleSet } from '#core/redaction';
import { storeScreenText } from '#core/replay';
import { parseSealingKey } from '#core/sealing';
import { runInBackground } from '../../background-thread.ts';
import { type ChannelObserver, observeChannel } from './channel-observer.ts';
import type { FromThread, Observation, ThreadSettings, ToThread } from './observation.ts';
import { createRemoteStore } from './remote-store.ts';

/** The recording thread: emulation, redaction and the cutting of recordings, away from the thread that relays. */
function serve(
  port: NonNullable<typeof parentPort>,
  rules: RuleSet,
  sealing: OriginalSealing | undefined,
): void {
  const channels = new Map<number, ChannelObserver>();
  const stores = new Map<number, ReturnType<typeof createRemoteStore>>();
  const tell = (message: FromThread): void => port.postMessage(message);

  function answer(channel: ChannelObserver, message: ToThread & { readonly kind: 'events' }): void {
    const observations: Observation[] = [];
    for (const event of message.events) observations.push(...channel.take(event));
    const { id, bytes } = message;
    tell({ kind: 'observed', id, bytes, observations, settled: channel.settled });
  }

  function drop(id: number): void {
    channels.get(id)?.close();
    channels.delete(id);
  }

  /** A segment at a time, and what comes of channels in between. */
  function index(id: number, key: string): void {
    const store = createRemoteStore((call) => tell({ kind: 'call', id, call }));
    stores.set(id, store);
    storeScreenText(store, key)
      .then(
        () => tell({ kind: 'indexed', id }),
        (error: unknown) => tell({ kind: 'fault', id, reason: reasonOf(error) }),
      )
      .finally(() => stores.delete(id));
  }

  function take(message: ToThread): void {
    const { id } = message;
    if (message.kind === 'open') {
      channels.set(id, observeChannel(message, rules, sealing));
      return;
    }
    if (message.kind === 'index') return index(id, message.key);
    if (message.kind === 'answer') return stores.get(id)?.answer(message.answer);
    const channel = channels.get(id);
    if (channel === undefined) return;
    switch (message.kind) {
      case 'events':
        return answer(channel, message);
      case 'pending-line':
        return tell({
          kind: 'pending-line',
          id,
          question: message.question,
          read: channel.pendingLine(message.ahead),
        });
      case 'end':
        tell({ kind: 'ended', id, ...channel.end(message.atMs) });
        return drop(id);
      case 'drop':
        return drop(id);
    }
  }

  port.on('message', (message: ToThread) => {
    try {
      take(message);
    } catch (error) {
      // What one channel showed costs that channel's recording only.
      drop(message.id);
      tell({ kind: 'fault', id: message.id, reason: reasonOf(error) });
    }
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// What it is started with was made by the process it is a part of.
const settings: ThreadSettings = workerData;
runInBackground();
const { sealOriginalTo } = settings.redaction;
const sealing =
  sealOriginalTo === undefined ? undefined : { recipient: parseSealingKey(sealOriginalTo), randomBytes };
if (parentPort !== null) serve(parentPort, compileRules(settings.redaction), sealing);
