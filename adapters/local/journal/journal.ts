import { realpath } from 'node:fs/promises';
import type { ChainPosition, LinkedRecord } from '#core/chain';
import type { AuditDraft, AuditRecord, EventOrigin, Journal, StreamName } from '#core/contract';
import {
  dayOf,
  JournalError,
  journalClosed,
  linkDraft,
  type RecordListeners,
  recordListeners,
} from '#core/journal';
import { type AppendFile, AppendLoop } from './append-loop.ts';
import { createForAppend, ensureFolders, makeDirectory } from './confined-files.ts';
import { type OldestOpenSession, trackOldestOpenSession } from './oldest-open-session.ts';
import { type Recovery, recoverStream } from './recovery.ts';
import { type SegmentSealer, segmentSealer } from './segment-sealer.ts';
import { type DigestSettings, openSegmentSigner, type SegmentSigner } from './segment-signer.ts';
import { lockWriter, type WriterLock } from './writer-lock.ts';

export type JournalOptions = {
  /** The data directory; made where there is none. */
  readonly directory: string;
  readonly stream: StreamName;
  readonly origin: EventOrigin;
  readonly proxyId: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** A segment goes to the lake this long after its first record, 60 s unless told, */
  readonly sealAfterMs?: number;
  /** or when it would grow beyond this, 4 MiB unless told. */
  readonly sealAfterBytes?: number;
  /** Signs what is in the lake; without it the chain alone speaks for the trail. */
  readonly digests?: DigestSettings;
  /** The journal stopped (`unwritable`), a segment waits (`unsealed`), or a listener threw. */
  readonly onFault: (error: Error) => void;
  /** Makes the files that records are appended to; of use where a disk that fails is wanted. */
  readonly createFile?: (path: string) => Promise<AppendFile>;
};

export type OpenedJournal = Journal & {
  /** Resolves when everything recorded before is in the lake, and signed where digests are. */
  sealNow(): Promise<void>;
  /** What was found and mended at the opening. Each lost session must get its EndSession before StartProxy is taken. */
  readonly recovered: Omit<Recovery, 'position'>;
};

const defaultSealAfterMs = 60_000;
const defaultSealAfterBytes = 4 << 20;
const maxSealAfterBytes = 64 << 20;

/**
 * The journal of one stream in a folder. Records go to `journal/<stream>/`, synced before they are acknowledged, and
 * from there in compressed segments to `lake/events/dt=<day>/<stream>/`.
 *
 * @throws JournalError `locked` where the stream has a writer, `damaged` where its chain is broken.
 */
export async function openJournal(options: JournalOptions): Promise<OpenedJournal> {
  await makeDirectory(options.directory);
  const directory = await realpath(options.directory);
  const folder = await ensureFolders(directory, 'journal', options.stream);
  await ensureFolders(directory, 'lake', 'events');
  const lock = await lockWriter(folder, options);
  try {
    const { position, ...recovered } = await recoverStream(directory, options.stream);
    const signer = options.digests && (await openSegmentSigner(options.digests, { ...options, directory }));
    return new FolderJournal(options, { directory, folder, lock, position, recovered, signer });
  } catch (error) {
    lock.release();
    throw error;
  }
}

class FolderJournal implements OpenedJournal {
  readonly recovered: OpenedJournal['recovered'];
  readonly #options: JournalOptions;
  readonly #lock: WriterLock;
  readonly #loop: AppendLoop;
  readonly #sealer: SegmentSealer;
  readonly #signer: SegmentSigner | undefined;
  readonly #oldestOpen: OldestOpenSession;
  readonly #listeners: RecordListeners;
  /** Lost sessions of the last run that have no EndSession yet. */
  readonly #lost: Set<string | undefined>;
  #position: ChainPosition;
  #closing: Promise<void> | undefined;
  #sealTimer: NodeJS.Timeout | undefined;

  constructor(
    options: JournalOptions,
    opened: Pick<OpenedJournal, 'recovered'> & {
      readonly directory: string;
      readonly folder: string;
      readonly lock: WriterLock;
      readonly position: ChainPosition;
      readonly signer: SegmentSigner | undefined;
    },
  ) {
    const sealAfterMs = options.sealAfterMs ?? defaultSealAfterMs;
    this.#options = options;
    this.#lock = opened.lock;
    this.#position = opened.position;
    this.recovered = opened.recovered;
    this.#listeners = recordListeners(options.onFault);
    this.#lost = new Set(opened.recovered.lostSessions.map(sessionOf));
    this.#oldestOpen = trackOldestOpenSession(opened.folder, opened.recovered.lostSessions);
    this.#signer = opened.signer;
    this.#sealer = segmentSealer({
      directory: opened.directory,
      retryAfterMs: sealAfterMs,
      beforeEach: () => this.#oldestOpen.save(),
      onSealed: (segment, sealed) => this.#signer?.sealed(segment, sealed),
      onFault: options.onFault,
    });
    this.#loop = new AppendLoop({
      folder: opened.folder,
      stream: options.stream,
      createFile: options.createFile ?? createForAppend,
      maxSegmentBytes: Math.min(options.sealAfterBytes ?? defaultSealAfterBytes, maxSealAfterBytes),
      onDurable: (records) => this.#tell(records),
      onSegmentOpened: (firstSeq) => this.#sealLater(firstSeq, sealAfterMs),
      onSegmentFull: (segment) => this.#sealer.add(segment),
      onFault: options.onFault,
    });
  }

  record(draft: AuditDraft): Promise<AuditRecord> {
    return new Promise((durable, failed) => {
      const fault = this.#closing === undefined ? this.#loop.fault : journalClosed();
      if (fault !== undefined) {
        failed(fault);
        return;
      }
      const ingestTimeMs = this.#options.now();
      let linked: LinkedRecord;
      try {
        this.#requireEndsBeforeStart(draft);
        linked = linkDraft(this.#position, draft, ingestTimeMs, this.#options);
      } catch (error) {
        failed(error);
        return;
      }
      const { seq, stream } = this.#position;
      this.#position = { stream, seq: seq + 1, previousHash: linked.hash };
      this.#loop.append({
        record: linked.record,
        seq,
        bytes: Buffer.from(`${linked.line}\n`, 'utf8'),
        date: dayOf(ingestTimeMs),
        durable,
        failed,
      });
    });
  }

  subscribe(listener: (record: AuditRecord) => void): () => void {
    return this.#listeners.subscribe(listener);
  }

  async sealNow(): Promise<void> {
    if (this.#closing !== undefined) throw journalClosed();
    await this.#loop.roll();
    await this.#sealer.settle();
    await this.#signer?.sign();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#sealTimer);
    this.#sealer.stop();
    try {
      // After a fault there is nothing of this run to seal: the next opening does it.
      if (this.#loop.fault === undefined) await this.#loop.roll();
      await this.#loop.idle();
      await this.#sealer.settle();
      if (this.#loop.fault === undefined) await this.#signer?.close();
    } finally {
      this.#signer?.stop();
      await this.#loop.idle();
      this.#lock.release();
    }
  }

  /** The search for lost sessions goes back to the start of a run, so none of an earlier one may be left. */
  #requireEndsBeforeStart(draft: AuditDraft): void {
    if (draft.eventName === 'EndSession') this.#lost.delete(sessionOf(draft));
    if (draft.eventName === 'StartProxy' && this.#lost.size > 0)
      throw new JournalError(
        'sessions-open',
        `${this.#lost.size} sessions of the last run have no end; record closeLostSessions(recovered.lostSessions) before StartProxy`,
      );
  }

  #tell(records: readonly AuditRecord[]): void {
    this.#oldestOpen.note(records);
    this.#listeners.tell(records);
  }

  #sealLater(firstSeq: number, sealAfterMs: number): void {
    clearTimeout(this.#sealTimer);
    this.#sealTimer = setTimeout(() => {
      // A roll fails only with the fault that was reported already.
      if (this.#loop.openFirstSeq === firstSeq) this.#loop.roll().catch(() => undefined);
    }, sealAfterMs).unref();
  }
}

function sessionOf(event: Pick<AuditDraft, 'additionalEventData'>): string | undefined {
  return event.additionalEventData['sessionId'];
}
