import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  createFolderBlobStore,
  JournalError,
  type JournalOptions,
  type OpenedJournal,
  openJournal,
  openSqliteControlStore,
} from '#adapters/local';
import type { Configuration } from '#core/configuration';
import { type BlobStore, type ControlStore, type StreamName, streamName } from '#core/contract';
import { closeLostSessions, stopProxy, storeLostRecording } from '#core/event';
import { indexRecordings, recoverRecordings } from '../proxy-task/index.ts';
import type { DataDirectory } from './data-directory.ts';
import { digestSettings } from './evidence-key.ts';
import type { Installation } from './installation.ts';
import { version } from './version.ts';

/** Who writes to a stream of its own: the gateway, or each of the processes that share its port. */
export type Writer = {
  readonly proxyId: string;
  readonly stream: StreamName;
  /** Folder of its unfinished recordings; nobody else's. */
  readonly spool: string;
};

export type LocalStores = {
  readonly journal: OpenedJournal;
  readonly control: ControlStore;
  readonly blobs: BlobStore;
};

type WriterOptions = {
  readonly data: DataDirectory;
  readonly installation: Installation;
  readonly writer: Writer;
  readonly now: () => number;
  readonly report: (line: string) => void;
  readonly journal?: (options: JournalOptions) => Promise<OpenedJournal>;
};

/** The streams of one installation: the gateway's own, and those of its workers by number from 1. */
export function auditWriters(
  data: DataDirectory,
  { proxyId }: Pick<Configuration['gateway'], 'proxyId'>,
): { readonly main: Writer; worker(number: number): Writer } {
  return {
    main: { proxyId, stream: streamName(proxyId), spool: data.spool },
    worker(number) {
      const name = `${proxyId}-w${number}`;
      return { proxyId: name, stream: streamName(name), spool: join(data.spool, `w${number}`) };
    },
  };
}

/** Opens journal, control store and lake in their order. `auditFailure` settles when the journal cannot be written any more. */
export async function openLocalStores(
  options: WriterOptions,
): Promise<{ readonly stores: LocalStores; readonly auditFailure: Promise<Error> }> {
  const { data, writer, now, report } = options;
  const { gateway: settings } = options.installation.configuration;
  const auditFailure = Promise.withResolvers<Error>();
  mkdirSync(data.root, { recursive: true, mode: 0o700 });
  const journal = await (options.journal ?? openJournal)({
    directory: data.root,
    stream: writer.stream,
    origin: {
      eventSource: settings.eventSource,
      awsRegion: settings.region,
      recipientAccountId: settings.account,
    },
    proxyId: writer.proxyId,
    now,
    randomBytes,
    digests: await digestSettings(data, options.installation.configuration),
    // A segment that waits to be sealed is tried again, and loses nothing; a journal that cannot be written ends everything.
    onFault: (error) => {
      if (error instanceof JournalError && error.code === 'unwritable') auditFailure.resolve(error);
      else report(`the journal: ${error.message}`);
    },
  });
  try {
    const control = await openSqliteControlStore(data.control, { now });
    const blobs = createFolderBlobStore(data.lake);
    return { stores: { journal, control, blobs }, auditFailure: auditFailure.promise };
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** Sessions and recordings that a killed process left open get their end before anything new is on record. */
export async function closeLost(
  writer: Writer,
  { journal, control, blobs }: LocalStores,
  { now, report }: Pick<WriterOptions, 'now' | 'report'>,
): Promise<void> {
  const starts = journal.recovered.lostSessions;
  const bySession = new Map(starts.map((record) => [record.additionalEventData['sessionId'], record]));
  const recordings = await recoverRecordings({
    store: blobs,
    spoolDirectory: writer.spool,
    async putOnRecord(recording) {
      const start = bySession.get(recording.sessionId);
      if (start !== undefined) await journal.record(storeLostRecording(start, now(), recording));
      else report(`the recording ${recording.key} is stored now; its session had ended without it`);
    },
    onFault: (error) => report(`a recording of the last run could not be completed: ${error.message}`),
  });
  await Promise.all(closeLostSessions(starts, now()).map((draft) => journal.record(draft)));
  for (const { id, data } of await control.list('session'))
    if (data.proxyId === writer.proxyId) await control.delete('session', id);
  await indexRecordings({ store: blobs, recordings, onFault: (error) => report(error.message) });
}

/** Completes the stream of a process that died: its sessions end on record, and so does it. */
export async function closeDeadWriter(options: WriterOptions & { readonly how: string }): Promise<void> {
  const { writer, now, how } = options;
  const { stores } = await openLocalStores(options);
  try {
    await closeLost(writer, stores, options);
    await stores.journal.record(
      stopProxy({ proxyId: writer.proxyId, version }, now(), { reason: `the process died: ${how}` }),
    );
  } finally {
    await stores.control.close();
    await stores.journal.close();
  }
}

/**
 * Completes what processes left that the configuration no longer has, such as where there were more workers before. A stream that somebody
 * writes to is left alone.
 */
export async function closeForerunners(
  options: Omit<WriterOptions, 'writer'> & { readonly except: readonly Writer[] },
): Promise<void> {
  const { data, installation, except } = options;
  const { proxyId } = installation.configuration.gateway;
  const writers = auditWriters(data, installation.configuration.gateway);
  const names = existsSync(data.journal) ? readdirSync(data.journal) : [];
  const numbers = names.flatMap((name) => {
    const [, number] = name.startsWith(`${proxyId}-w`) ? (/-w([1-9]\d?)$/.exec(name) ?? []) : [];
    return number === undefined || name !== `${proxyId}-w${number}` ? [] : [Number(number)];
  });
  for (const writer of numbers.map((number) => writers.worker(number))) {
    if (except.some(({ stream }) => stream === writer.stream)) continue;
    await closeForerunner({ ...options, writer });
  }
}

async function closeForerunner(options: WriterOptions): Promise<void> {
  let opened: Awaited<ReturnType<typeof openLocalStores>>;
  try {
    opened = await openLocalStores(options);
  } catch (error) {
    if (error instanceof JournalError && error.code === 'locked') return;
    throw error;
  }
  try {
    await closeLost(options.writer, opened.stores, options);
  } finally {
    await opened.stores.control.close();
    await opened.stores.journal.close();
  }
}
