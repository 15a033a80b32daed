import { Worker } from 'node:worker_threads';
import type { BlobKey } from '#core/contract';
import type {
  ChannelEvent,
  ChannelStart,
  FromThread,
  Observation,
  ObservedEnd,
  PendingRead,
  RedactionSettings,
  ThreadSettings,
  ToThread,
} from './observation.ts';
import { answerCall, type ReachableStore, type StoreCall } from './remote-store.ts';

/** What a channel's recording hears from the thread. */
export type ThreadListener = {
  /** `bytes` of the events that this answers are no longer on their way. */
  observed(observations: readonly Observation[], bytes: number, settled: boolean): void;
  ended(observations: readonly Observation[], end: ObservedEnd): void;
  /** Nothing more comes of this channel. */
  failed(reason: string): void;
};

/** One channel's way to the thread and back. */
export type ThreadChannel = {
  send(events: readonly ChannelEvent[], bytes: number): void;
  /** The line that would run if it were accepted now, after everything that was sent. Rejects where the thread is gone. */
  pendingLine(ahead: Uint8Array): Promise<PendingRead>;
  end(atMs: number): void;
  drop(): void;
};

export type RecordingThread = {
  open(start: ChannelStart, listener: ThreadListener): ThreadChannel;
  /** Makes the rows that are searched of the recording at the key, and puts them into the same store. Rejects where it cannot. */
  index(store: ReachableStore, key: BlobKey): Promise<void>;
  /** Ends the thread. What it was about to do fails. */
  close(): Promise<void>;
};

type Open = {
  readonly listener: ThreadListener;
  readonly questions: Map<number, { resolve(read: PendingRead): void; reject(error: Error): void }>;
};

type Indexing = { readonly store: ReachableStore; resolve(): void; reject(error: Error): void };

/**
 * The thread that emulates, redacts and cuts recordings: one for a gateway process, started with the first channel and anew after
 * a crash, which costs the recordings that were open.
 */
export function createRecordingThread(options: { readonly redaction: RedactionSettings }): RecordingThread {
  // In a bundle the thread's module stands beside the one that holds this.
  const file = import.meta.url.endsWith('.ts') ? './thread-main.ts' : './recording-thread.mjs';
  const module = new URL(file, import.meta.url);
  const settings: ThreadSettings = { redaction: options.redaction };
  const channels = new Map<number, Open>();
  const indexing = new Map<number, Indexing>();
  let worker: Worker | undefined;
  let nextId = 1;
  let nextQuestion = 1;

  function running(): Worker {
    if (worker !== undefined) return worker;
    const fresh = new Worker(module, { workerData: settings, name: 'recording', stdin: false });
    fresh.on('message', take);
    fresh.on('error', (error) => gone(fresh, `the recording thread has failed: ${error.message}`));
    fresh.on('exit', (code) => gone(fresh, `the recording thread has ended with code ${code}`));
    worker = fresh;
    return fresh;
  }

  function gone(which: Worker, reason: string): void {
    if (worker !== which) return;
    worker = undefined;
    for (const id of channels.keys()) fail(id, reason);
    for (const id of indexing.keys()) indexed(id, new Error(reason));
  }

  function indexed(id: number, error?: Error): void {
    const open = indexing.get(id);
    indexing.delete(id);
    rest();
    if (error === undefined) open?.resolve();
    else open?.reject(error);
  }

  async function answer(id: number, store: ReachableStore, call: StoreCall): Promise<void> {
    const message: ToThread = { kind: 'answer', id, answer: await answerCall(store, call) };
    if (indexing.has(id)) worker?.postMessage(message, []);
  }

  function fail(id: number, reason: string): void {
    const open = channels.get(id);
    if (open === undefined) return;
    forget(id);
    refuse(open, reason);
    open.listener.failed(reason);
  }

  function refuse({ questions }: Open, reason: string): void {
    for (const question of questions.values()) question.reject(new Error(reason));
    questions.clear();
  }

  /** A thread with nothing to do keeps no process alive. */
  function forget(id: number): void {
    channels.delete(id);
    rest();
  }

  function rest(): void {
    if (channels.size + indexing.size === 0) worker?.unref();
  }

  function take(message: FromThread): void {
    const { id } = message;
    const index = indexing.get(id);
    if (index !== undefined) {
      if (message.kind === 'call') void answer(id, index.store, message.call);
      else indexed(id, message.kind === 'fault' ? new Error(message.reason) : undefined);
      return;
    }
    const open = channels.get(id);
    if (open === undefined) return;
    switch (message.kind) {
      case 'observed':
        return open.listener.observed(message.observations, message.bytes, message.settled);
      case 'pending-line':
        open.questions.get(message.question)?.resolve(message.read);
        open.questions.delete(message.question);
        return;
      case 'ended':
        forget(id);
        return open.listener.ended(message.observations, message.end);
      case 'fault':
        return fail(id, message.reason);
      case 'call':
      case 'indexed':
        return;
    }
  }

  return {
    open(start, listener) {
      const id = nextId;
      nextId += 1;
      const thread = running();
      const open: Open = { listener, questions: new Map() };
      channels.set(id, open);
      thread.ref();
      const post = (message: ToThread, moved: readonly ArrayBuffer[] = []): void => {
        // One that is gone has told its channels.
        if (channels.has(id)) thread.postMessage(message, [...moved]);
      };
      post({ kind: 'open', id, ...start });
      return {
        send: (events, bytes) => post({ kind: 'events', id, bytes, events }, buffersOf(events)),
        pendingLine: (ahead) =>
          new Promise((resolve, reject) => {
            if (!channels.has(id)) {
              reject(new Error('the recording of this channel has ended'));
              return;
            }
            const question = nextQuestion;
            nextQuestion += 1;
            open.questions.set(question, { resolve, reject });
            post({ kind: 'pending-line', id, question, ahead });
          }),
        end: (atMs) => post({ kind: 'end', id, atMs }),
        drop() {
          post({ kind: 'drop', id });
          forget(id);
          refuse(open, 'the recording of this channel has failed');
        },
      };
    },
    index(store, key) {
      const id = nextId;
      nextId += 1;
      const thread = running();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      indexing.set(id, { store, resolve, reject });
      thread.ref();
      const message: ToThread = { kind: 'index', id, key };
      thread.postMessage(message, []);
      return promise;
    },
    async close() {
      await worker?.terminate();
    },
  };
}

/** Data is given away, not copied once more. */
function buffersOf(events: readonly ChannelEvent[]): readonly ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const event of events)
    if ('data' in event && event.data.buffer instanceof ArrayBuffer) buffers.add(event.data.buffer);
  return [...buffers];
}
