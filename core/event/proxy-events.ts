import type { AuditDraft } from '#core/contract';
import { draft } from './draft.ts';
import {
  actorOf,
  arnIdentity,
  authorIdentity,
  type SessionFacts,
  serviceActor,
  targetFields,
} from './facts.ts';

export type ProxyFacts = { readonly proxyId: string; readonly version: string };

export function startProxy(
  proxy: ProxyFacts,
  atMs: number,
  what: {
    /** Addresses, e.g. `127.0.0.1:2222`. */
    readonly listen: readonly string[];
    /** What the journal cut off when it was opened: bytes of a line nobody was told was durable. */
    readonly tornBytes: number;
    /** How many sessions of a killed forerunner got their EndSession just before. */
    readonly lostSessions: number;
    readonly policySha256?: string | undefined;
    readonly configurationSha256?: string | undefined;
    /** Processes that share the port, on the record of the one that supervises them. */
    readonly workers?: number | undefined;
  },
): AuditDraft {
  return draft('StartProxy', atMs, proxyActor(proxy), {
    request: {
      listen: what.listen.join(' '),
      policySha256: what.policySha256,
      configurationSha256: what.configurationSha256,
      workers: what.workers,
    },
    response: { tornBytes: what.tornBytes, lostSessions: what.lostSessions },
  });
}

/** The last event of a stop: no session is open any more. `seconds` is absent where nobody is left who knows. */
export function stopProxy(
  proxy: ProxyFacts,
  atMs: number,
  what: { readonly reason: string; readonly seconds?: number | undefined },
): AuditDraft {
  return draft('StopProxy', atMs, proxyActor(proxy), {
    request: { reason: what.reason },
    response: { seconds: what.seconds },
  });
}

/** The policies in force changed; on record before anything is decided by the new ones. */
export function putPolicy(
  proxy: ProxyFacts,
  atMs: number,
  what: {
    /** ARN, or the operating system user whose the changed file is. */
    readonly by: string;
    /** Where they stand: files, or parameters. */
    readonly files: readonly string[];
    readonly sha256: string;
    readonly previousSha256: string;
    /** Ids of policies. */
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly string[];
  },
): AuditDraft {
  const actor = { ...proxyActor(proxy), userIdentity: arnIdentity(what.by) ?? authorIdentity(what.by) };
  return draft('PutPolicy', atMs, actor, {
    request: {
      files: idList(what.files),
      added: idList(what.added),
      removed: idList(what.removed),
      changed: idList(what.changed),
    },
    response: { policySha256: what.sha256, previousSha256: what.previousSha256 },
  });
}

const maxListBytes = 8192;

function idList(ids: readonly string[]) {
  return ids.length === 0 ? undefined : { text: ids.join(' '), maxBytes: maxListBytes };
}

/** One setting; values that are secrets are never passed. */
export function updateConfiguration(
  proxy: ProxyFacts,
  atMs: number,
  what: {
    readonly by: string;
    readonly key: string;
    readonly oldValue?: string | undefined;
    readonly newValue?: string | undefined;
  },
): AuditDraft {
  return draft('UpdateConfiguration', atMs, authorActor(proxy, what.by), {
    request: { configKey: what.key, oldValue: what.oldValue, newValue: what.newValue },
  });
}

export function storeRecording(
  facts: SessionFacts,
  atMs: number,
  what: {
    readonly recordingId: string;
    /** Key of the manifest; its chunks lie beside it. */
    readonly key: string;
    /** SHA-256 of the manifest's bytes, hex. */
    readonly manifestSha256: string;
    readonly seconds: number;
    readonly bytes: number;
    readonly truncated?: boolean;
  },
): AuditDraft {
  return draft('StoreRecording', atMs, actorOf(facts, atMs), {
    request: { ...targetFields(facts), recordingId: what.recordingId },
    response: {
      recordingKey: what.key,
      recordingSha256: what.manifestSha256,
      recordingSeconds: what.seconds,
      recordingBytes: what.bytes,
      recordingTruncated: what.truncated ?? false,
    },
  });
}

export function reportAuditLoss(
  proxy: ProxyFacts,
  atMs: number,
  what: {
    /** What is missing: a stream, a session or a recording. */
    readonly subject: string;
    readonly sessionId?: string | undefined;
    readonly reason: string;
    readonly lostRecords?: number | undefined;
    readonly lostBytes?: number | undefined;
  },
): AuditDraft {
  return draft('ReportAuditLoss', atMs, proxyActor(proxy), {
    request: { subject: what.subject, subjectSessionId: what.sessionId, reason: what.reason },
    response: { lostRecords: what.lostRecords, lostBytes: what.lostBytes },
  });
}

function proxyActor(proxy: ProxyFacts) {
  return serviceActor(`proxy/${proxy.proxyId}`, { proxyId: proxy.proxyId, proxyVersion: proxy.version });
}

function authorActor(proxy: ProxyFacts, by: string) {
  return { ...proxyActor(proxy), userIdentity: authorIdentity(by) };
}
