import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import {
  createFolderBlobStore,
  JournalError,
  type JournalOptions,
  type OpenedJournal,
  openJournal,
  openSqliteControlStore,
} from '#adapters/local';
import { type BlobStore, type ControlStore, streamName, type Target } from '#core/contract';
import { closeLostSessions, startProxy, stopProxy, storeLostRecording } from '#core/event';
import { createStaticInventory } from '#core/inventory';
import type { PrivateKey } from '#ssh';
import {
  createIdentityDirectory,
  createRecorder,
  type Gateway,
  type GatewayParts,
  type GatewaySettings,
  limitsOf,
  recoverRecordings,
  startGateway,
} from '../proxy-task/index.ts';
import type { DataDirectory } from './data-directory.ts';
import type { Installation } from './installation.ts';
import { version } from './version.ts';

export type RunningGateway = {
  readonly gateway: Gateway;
  readonly journal: OpenedJournal;
  readonly control: ControlStore;
  readonly blobs: BlobStore;
  /** Ends the sessions, puts the stop on record, and closes the stores. */
  close(reason: string): Promise<void>;
};

export type GatewayRunOptions = {
  readonly data: DataDirectory;
  readonly installation: Installation;
  /** Targets beside those of the configuration. */
  readonly extraTargets: readonly Target[];
  readonly listen: { readonly host: string; readonly port: number };
  readonly now: () => number;
  readonly report: (line: string) => void;
  /** Opens the journal; of use where a disk that fails is wanted. */
  readonly journal?: (options: JournalOptions) => Promise<OpenedJournal>;
};

/** A look at a local file costs nothing. */
const revocationLatencyMs = 250;

type Stores = { readonly journal: OpenedJournal; readonly control: ControlStore; readonly blobs: BlobStore };

/** Opens the local stores in their order, mends what a killed forerunner left, and starts the gateway. */
export async function runGateway(options: GatewayRunOptions): Promise<RunningGateway> {
  const { data, installation, now, report } = options;
  const { gateway: settings } = installation.configuration;
  const auditFailure = Promise.withResolvers<Error>();
  mkdirSync(data.root, { recursive: true, mode: 0o700 });

  const journal = await (options.journal ?? openJournal)({
    directory: data.root,
    stream: streamName(settings.proxyId),
    origin: {
      eventSource: settings.eventSource,
      awsRegion: settings.region,
      recipientAccountId: settings.account,
    },
    proxyId: settings.proxyId,
    now,
    randomBytes,
    // A segment that waits to be sealed is tried again, and loses nothing; a journal that cannot be written ends everything.
    onFault: (error) => {
      if (error instanceof JournalError && error.code === 'unwritable') auditFailure.resolve(error);
      else report(`the journal: ${error.message}`);
    },
  });
  let control: ControlStore | undefined;
  try {
    control = await openSqliteControlStore(data.control, { now });
    const stores = { journal, control, blobs: createFolderBlobStore(data.lake) };
    return await startOn(stores, options, auditFailure.promise);
  } catch (error) {
    await control?.close();
    await journal.close();
    throw error;
  }
}

async function startOn(
  stores: Stores,
  options: GatewayRunOptions,
  auditFailure: Promise<Error>,
): Promise<RunningGateway> {
  const { journal, control } = stores;
  const { installation, now } = options;
  const startedAtMs = now();
  const proxy = { proxyId: installation.configuration.gateway.proxyId, version };
  await closeLost(options, stores);
  const gateway = await startGateway(partsOf(options, stores), auditFailure);
  await journal.record(
    startProxy(proxy, now(), {
      listen: [`${gateway.address.host}:${gateway.address.port}`],
      tornBytes: journal.recovered.tornBytes,
      lostSessions: journal.recovered.lostSessions.length,
      policySha256: installation.policy.version,
    }),
  );
  return {
    ...stores,
    gateway,
    async close(reason) {
      try {
        await gateway.close(reason);
        await journal.record(stopProxy(proxy, now(), { reason, seconds: (now() - startedAtMs) / 1000 }));
      } finally {
        await control.close();
        await journal.close();
      }
    },
  };
}

function partsOf(options: GatewayRunOptions, { journal, control, blobs }: Stores): GatewayParts {
  const { data, installation, now, report } = options;
  const { configuration } = installation;
  return {
    settings: settingsOf(installation, options.listen),
    identities: createIdentityDirectory(installation.identities, configuration.trustedUserAuthorities),
    policy: () => installation.policy,
    inventory: createStaticInventory([...configuration.targets, ...options.extraTargets]),
    journal,
    control,
    userAuthority: installation.userAuthority,
    hostKeys: installation.hostKeys.map((privateKey: PrivateKey) => ({ privateKey })),
    recorder: createRecorder({ store: blobs, spoolDirectory: data.spool, now }),
    now,
    randomBytes,
    report,
  };
}

/** Sessions and recordings that a killed gateway left open get their end before a new one starts. */
async function closeLost(options: GatewayRunOptions, { journal, control, blobs }: Stores): Promise<void> {
  const { data, now, report } = options;
  const starts = journal.recovered.lostSessions;
  await recoverRecordings({
    store: blobs,
    spoolDirectory: data.spool,
    async putOnRecord(recording) {
      const start = starts.find((record) => record.additionalEventData['sessionId'] === recording.sessionId);
      if (start !== undefined) await journal.record(storeLostRecording(start, now(), recording));
      else report(`the recording ${recording.key} is stored now; its session had ended without it`);
    },
    onFault: (error) => report(`a recording of the last run could not be completed: ${error.message}`),
  });
  for (const draft of closeLostSessions(starts, now())) await journal.record(draft);
  for (const { id } of await control.list('session')) await control.delete('session', id);
}

function settingsOf(installation: Installation, listen: GatewaySettings['listen']): GatewaySettings {
  const { gateway, userAuthority, recording } = installation.configuration;
  return {
    proxyId: gateway.proxyId,
    version,
    listen,
    ...limitsOf(gateway),
    targetTimeoutMs: 10_000,
    certificateSeconds: userAuthority.validForSeconds,
    certificateBackdateSeconds: userAuthority.backdateSeconds,
    onRecordingFailure: recording.onFailure,
    revocationLatencyMs,
  };
}
