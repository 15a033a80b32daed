import { randomBytes } from 'node:crypto';
import type { JournalOptions, OpenedJournal } from '#adapters/local';
import type { BlobStore, ControlStore, Target } from '#core/contract';
import { startProxy, stopProxy } from '#core/event';
import { createStaticInventory } from '#core/inventory';
import { compileRules, redactText } from '#core/redaction';
import { formatPublicKeyLine, type PrivateKey } from '#ssh';
import {
  accessSettings,
  createIdentityDirectory,
  createRecorder,
  type Gateway,
  type GatewayParts,
  type GatewaySettings,
  type KeptPolicies,
  limitsOf,
  type PoliciesInForce,
  startGateway,
} from '../proxy-task/index.ts';
import { auditWriters, closeLost, type LocalStores, openLocalStores, type Writer } from './audit-writer.ts';
import type { DataDirectory } from './data-directory.ts';
import type { Installation } from './installation.ts';
import { keepPolicyFiles } from './kept-policies.ts';
import { configuredNotifier } from './notifier.ts';
import { version } from './version.ts';

export type RunningGateway = {
  readonly gateway: Gateway;
  readonly journal: OpenedJournal;
  readonly control: ControlStore;
  readonly blobs: BlobStore;
  /** Settles when the journal cannot be written any more; the sessions end then. */
  readonly auditFailure: Promise<Error>;
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
  /** Where this process is one of several that share the port: its number, from 1, and the policies it is handed. */
  readonly worker?: { readonly number: number; readonly policies: KeptPolicies };
  /** Opens the journal; of use where a disk that fails is wanted. */
  readonly journal?: (options: JournalOptions) => Promise<OpenedJournal>;
  /** Puts other parts in place; of use where one that fails is wanted. */
  readonly parts?: (parts: GatewayParts) => GatewayParts;
};

/** A look at a local file costs nothing. */
const revocationLatencyMs = 250;

/** Opens the local stores in their order, mends what a killed forerunner left, and starts the gateway. */
export async function runGateway(options: GatewayRunOptions): Promise<RunningGateway> {
  const writers = auditWriters(options.data, options.installation.configuration.gateway);
  const writer = options.worker === undefined ? writers.main : writers.worker(options.worker.number);
  const opened = await openLocalStores({ ...options, writer });
  try {
    return await startOn(opened.stores, { ...options, writer }, opened.auditFailure);
  } catch (error) {
    await opened.stores.control.close();
    await opened.stores.journal.close();
    throw error;
  }
}

type WriterRunOptions = GatewayRunOptions & { readonly writer: Writer };

async function startOn(
  stores: LocalStores,
  options: WriterRunOptions,
  auditFailure: Promise<Error>,
): Promise<RunningGateway> {
  const { journal, control } = stores;
  const { now, writer } = options;
  const startedAtMs = now();
  const proxy = { proxyId: writer.proxyId, version };
  await closeLost(writer, stores, options);
  const policies =
    options.worker?.policies ?? (await keepPolicyFiles({ ...options, proxyId: writer.proxyId, journal }));
  const policySha256 = policies.current().version;
  const made = partsOf(options, stores, policies);
  const parts = options.parts?.(made) ?? made;
  let gateway: Gateway;
  try {
    gateway = await startGateway(parts, auditFailure);
  } catch (error) {
    await policies.close();
    throw error;
  }
  await journal.record(
    startProxy(proxy, now(), {
      listen: [`${gateway.address.host}:${gateway.address.port}`],
      tornBytes: journal.recovered.tornBytes,
      lostSessions: journal.recovered.lostSessions.length,
      policySha256,
    }),
  );
  return {
    ...stores,
    gateway,
    auditFailure,
    async close(reason) {
      try {
        await policies.close();
        await gateway.close(reason);
        await journal.record(stopProxy(proxy, now(), { reason, seconds: (now() - startedAtMs) / 1000 }));
      } finally {
        await control.close();
        await journal.close();
      }
      await parts.recorder.settled();
    },
  };
}

function partsOf(
  options: WriterRunOptions,
  { journal, control, blobs }: LocalStores,
  policies: PoliciesInForce,
): GatewayParts {
  const { installation, now, report, writer } = options;
  const { configuration } = installation;
  const rules = compileRules(configuration.redaction);
  return {
    settings: settingsOf(options),
    identities: createIdentityDirectory(
      installation.identities,
      configuration.trustedUserAuthorities,
      undefined,
      ownAuthorities(installation),
    ),
    policies,
    inventory: createStaticInventory([...configuration.targets, ...options.extraTargets]),
    journal,
    control,
    userAuthority: installation.userAuthority,
    targetCredential: (target) => installation.targetCredentials.get(target.name),
    ...(installation.hostAuthority === undefined ? {} : { hostAuthority: installation.hostAuthority }),
    hostKeys: installation.hostKeys.map((privateKey: PrivateKey) => ({ privateKey })),
    recorder: createRecorder({
      store: blobs,
      spoolDirectory: writer.spool,
      redaction: configuration.redaction,
      now,
      onIndexFault: (error) => report(error.message),
    }),
    notifier: configuredNotifier(configuration, report),
    redact: (text) => redactText(text, rules).text,
    now,
    randomBytes,
    report,
  };
}

function ownAuthorities({ engineerAuthority }: Installation): readonly string[] {
  return engineerAuthority === undefined ? [] : [formatPublicKeyLine(engineerAuthority.publicKey)];
}

function settingsOf({ installation, listen, writer }: WriterRunOptions): GatewaySettings {
  const { access, gateway, userAuthority, recording } = installation.configuration;
  return {
    proxyId: writer.proxyId,
    version,
    listen,
    ...limitsOf(gateway),
    proxiedFrom: gateway.proxyProtocol?.from ?? [],
    targetTimeoutMs: 10_000,
    certificateSeconds: userAuthority.validForSeconds,
    certificateBackdateSeconds: userAuthority.backdateSeconds,
    onRecordingFailure: recording.onFailure,
    revocationLatencyMs,
    access: accessSettings(access),
  };
}
