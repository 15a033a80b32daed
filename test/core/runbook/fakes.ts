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
  const tables: { readonly [Kind in ControlKind]: Map<string, ControlItem<Kind>> } = {
    session: new Map(),
    revocation: new Map(),
    totp: new Map(),
    factor: new Map(),
    enrolment: new Map(),
    proof: new Map(),
    counter: new Map(),
    request: new Map(),
    grant: new Map(),
    writer: new Map(),
    delivery: new Map(),
    gateway: new Map(),
    run: new Map(),
    allowance: new Map(),
    check: new Map(),
    finding: new Map(),
    action: new Map(),
    lock: new Map(),
  };
  function isLive(item: { readonly expiresAtMs?: number }): boolean {
    return item.expiresAtMs === undefined || item.expiresAtMs > clock.nowMs;
  }
  function live<Kind extends ControlKind>(kind: Kind, id: string): ControlItem<Kind> | undefined {
    const table: Map<string, ControlItem<Kind>> = tables[kind];
    const item = table.get(id);
    return item !== undefined && isLive(item) ? item : undefined;
  }
  return {
    get: async (kind, id) => live(kind, id),
    list: async <Kind extends ControlKind>(kind: Kind) => {
      const table: Map<string, ControlItem<Kind>> = tables[kind];
      return [...table.values()].filter(isLive).sort((a, b) => (a.id < b.id ? -1 : 1));
    },
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
      const table: Map<string, ControlItem<Kind>> = tables[kind];
      table.set(id, { kind, id, version, data, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) });
      return version;
    },
    delete: async (kind, id) => tables[kind].delete(id),
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
