import type {
  ActionTaken,
  AuditDraft,
  AuditRecord,
  ControlData,
  ControlItem,
  ControlKind,
  ControlStore,
  Finding,
  Journal,
  Notice,
  Notifier,
  QueryEngine,
  Row,
} from '../../../core/contract/index.ts';
import type { ActionExecutor } from '../../../core/runbook/index.ts';

/** A clock that tests set. */
export type Clock = { nowMs: number };

/** The control store's contract in memory: versions, conditions, expiry. */
export function memoryControlStore(clock: Clock): ControlStore {
  const items = new Map<string, ControlItem<ControlKind>>();
  const live = (kind: ControlKind, id: string) => {
    const item = items.get(`${kind}\n${id}`);
    return item?.expiresAtMs !== undefined && item.expiresAtMs <= clock.nowMs ? undefined : item;
  };
  return {
    get: async <Kind extends ControlKind>(kind: Kind, id: string) =>
      live(kind, id) as ControlItem<Kind> | undefined,
    list: async <Kind extends ControlKind>(kind: Kind) =>
      [...items.values()]
        .filter((item) => item.kind === kind && live(kind, item.id) !== undefined)
        .sort((a, b) => (a.id < b.id ? -1 : 1)) as unknown as readonly ControlItem<Kind>[],
    put: async <Kind extends ControlKind>(
      kind: Kind,
      id: string,
      data: ControlData[Kind],
      condition: Parameters<ControlStore['put']>[3],
      expiresAtMs?: number,
    ) => {
      const current = live(kind, id);
      if (condition.kind === 'absent' && current !== undefined) return undefined;
      if (condition.kind === 'version' && current?.version !== condition.version) return undefined;
      const version = (current?.version ?? 0) + 1;
      const item = { kind, id, version, data, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
      items.set(`${kind}\n${id}`, item as ControlItem<ControlKind>);
      return version;
    },
    delete: async (kind, id) => items.delete(`${kind}\n${id}`),
    watch: () => {},
    close: async () => {},
  };
}

export type FakeJournal = Journal & { readonly drafts: AuditDraft[]; failure: Error | undefined };

/** Keeps the drafts; rejects while `failure` is set. */
export function fakeJournal(): FakeJournal {
  const drafts: AuditDraft[] = [];
  const journal: FakeJournal = {
    drafts,
    failure: undefined,
    record: async (draft) => {
      if (journal.failure !== undefined) throw journal.failure;
      drafts.push(draft);
      const record: AuditRecord = {
        eventVersion: '1.0',
        eventID: `e-${drafts.length}`,
        eventTime: new Date(draft.eventTimeMs).toISOString(),
        eventSource: 'ssh-proxy.example.com',
        eventName: draft.eventName,
        eventCategory: 'ActivityAuditLog',
        eventType: 'ActivityLog',
        awsRegion: 'eu-central-1',
        recipientAccountId: '123456789012',
        readOnly: draft.readOnly,
        userIdentity: draft.userIdentity,
        requestParameters: draft.requestParameters,
        responseElements: draft.responseElements,
        additionalEventData: draft.additionalEventData,
      };
      return record;
    },
    subscribe: () => () => {},
    close: async () => {},
  };
  return journal;
}

export type FakeNotifier = Notifier & { readonly notices: Notice[]; failure: Error | undefined };

export function fakeNotifier(): FakeNotifier {
  const notices: Notice[] = [];
  const notifier: FakeNotifier = {
    notices,
    failure: undefined,
    notify: async (notice) => {
      if (notifier.failure !== undefined) throw notifier.failure;
      notices.push(notice);
    },
  };
  return notifier;
}

export type FakeActions = ActionExecutor & {
  readonly log: string[];
  readonly closedSessions: Set<string>;
  failure: Error | undefined;
  /** Awaited by each revocation. */
  gate: Promise<void>;
};

export function fakeActions(): FakeActions {
  const log: string[] = [];
  const actions: FakeActions = {
    log,
    closedSessions: new Set(),
    failure: undefined,
    gate: Promise.resolve(),
    snapshot: async (finding: Finding) => {
      log.push(`snapshot ${finding.key}`);
      return `findings/${finding.key}.json`;
    },
    sessionIsOpen: async (id) => !actions.closedSessions.has(id),
    revokeSession: async (id) => {
      await actions.gate;
      if (actions.failure !== undefined) throw actions.failure;
      log.push(`revoke ${id}`);
      return 'asked';
    },
  };
  return actions;
}

/** Answers every query with the same rows. */
export function fakeEngine(
  rows: readonly Row[],
): QueryEngine & { failure: Error | undefined; rows: readonly Row[] } {
  const engine = {
    failure: undefined as Error | undefined,
    rows,
    select: async () => {
      if (engine.failure !== undefined) throw engine.failure;
      return { columns: [], rows: oneFrom(engine.rows) };
    },
    close: async () => {},
  };
  return engine;
}

async function* oneFrom(rows: readonly Row[]): AsyncGenerator<readonly Row[]> {
  yield rows;
}

export function outcomes(taken: readonly { readonly taken: ActionTaken }[]): readonly string[] {
  return taken.map(({ taken: each }) => `${each.action} ${each.outcome}`);
}
