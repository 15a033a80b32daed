import type { AuditDraft, AuditRecord } from './audit-record.ts';
import type { ControlData, ControlKind } from './control-data.ts';

/** A key in a store: relative, `/`-separated, no empty, `.` or `..` part. */
export type BlobKey = string;

/** Immutable objects by key. A put is atomic: readers see the whole object or none. */
export interface BlobStore {
  /** Durable when it resolves. `exists` when the key was taken; the object there is left alone. */
  putIfAbsent(key: BlobKey, bytes: Uint8Array): Promise<'stored' | 'exists'>;
  get(key: BlobKey): Promise<Buffer | undefined>;
  /** `length` bytes from `offset`, fewer at the end of the object; undefined where there is none. */
  getRange(key: BlobKey, offset: number, length: number): Promise<Buffer | undefined>;
  /** Keys under the prefix in ascending order of their UTF-8 bytes. */
  list(prefix: string): AsyncIterable<{ readonly key: BlobKey; readonly size: number }>;
}

/** Appends audit records: durable, ordered, chained. The one way to write an event. */
export interface Journal {
  /** Resolves when the record is durable; rejects with JournalError when it cannot be, and then every later call rejects too. */
  record(draft: AuditDraft): Promise<AuditRecord>;
  /** Called after a record became durable; in order. */
  subscribe(listener: (record: AuditRecord) => void): () => void;
  /** Seals what is open and stops. */
  close(): Promise<void>;
}

/**
 * Another place that gets every record, after the lake has it: at least once, in the order of each stream. A record that
 * came before, by its event id, changes nothing.
 */
export interface EventSink {
  /** `[a-z0-9-]+`; how far it has got is kept under this name. */
  readonly name: string;
  /** Resolves when the sink has them or has refused them for good, which it puts on record itself; rejects where another try may help. */
  deliver(records: readonly AuditRecord[]): Promise<void>;
}

export type ControlItem<Kind extends ControlKind> = {
  readonly kind: Kind;
  readonly id: string;
  /** Counts from 1, up by one at each put. */
  readonly version: number;
  readonly data: ControlData[Kind];
  /** Milliseconds since the epoch; from then on the item counts as absent. */
  readonly expiresAtMs?: number;
};

export type PutCondition =
  | { readonly kind: 'any' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'version'; readonly version: number };

/** Small shared state: strongly consistent reads, conditional writes. */
export interface ControlStore {
  get<Kind extends ControlKind>(kind: Kind, id: string): Promise<ControlItem<Kind> | undefined>;
  /** Ordered by id. */
  list<Kind extends ControlKind>(kind: Kind): Promise<readonly ControlItem<Kind>[]>;
  /** `version` of the item now stored, or undefined when the condition did not hold and nothing was written. */
  put<Kind extends ControlKind>(
    kind: Kind,
    id: string,
    data: ControlData[Kind],
    condition: PutCondition,
    expiresAtMs?: number,
  ): Promise<number | undefined>;
  /** True when an item was deleted. */
  delete(kind: ControlKind, id: string): Promise<boolean>;
  /** Calls `onChange` within `latencyMs` after a put of that kind by any process; at least once per change, with the newest item. `onFault` when the store could not be read. */
  watch<Kind extends ControlKind>(kind: Kind, options: WatchOptions<Kind>): void;
  close(): Promise<void>;
}

export type WatchOptions<Kind extends ControlKind> = {
  readonly latencyMs: number;
  readonly signal: AbortSignal;
  readonly onChange: (item: ControlItem<Kind>) => void;
  readonly onFault: (error: Error) => void;
};

/** Signs with a key that never leaves its place (file, KMS). */
export interface Signer {
  readonly algorithm: 'ed25519' | 'ecdsa-p256-sha256';
  /** DER SubjectPublicKeyInfo. */
  readonly publicKeySpki: Buffer;
  /** Ed25519: 64 raw bytes. ECDSA: DER of r and s. The message is passed whole, not hashed. */
  sign(message: Uint8Array): Promise<Buffer>;
}

export type Cell =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Cell[]
  | { readonly [name: string]: Cell };
export type Row = Readonly<Record<string, Cell>>;

export type QueryResult = {
  /** Lower-case names in the order of the SELECT. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: AsyncIterable<readonly Row[]>;
};

/** Runs one SELECT over the lake. Timestamps come back as ISO 8601 UTC text. */
export interface QueryEngine {
  /** @throws QueryError codes `refused` (not one SELECT), `invalid` (the engine's message), `deadline`. */
  select(
    sql: string,
    options: {
      readonly deadlineMs: number;
      readonly signal?: AbortSignal;
      /** Texts that stand for the statement's `?`, in order. */
      readonly parameters?: readonly string[];
    },
  ): Promise<QueryResult>;
  close(): Promise<void>;
}

export type Notice = {
  readonly severity: 'info' | 'low' | 'medium' | 'high' | 'critical';
  readonly title: string;
  readonly text: string;
  readonly runbookId?: string;
  readonly findingKey?: string;
};

export interface Notifier {
  notify(notice: Notice): Promise<void>;
}

/** A server that may be reached. */
export type Target = {
  /** What the engineer types: `[a-z0-9][a-z0-9._-]*`. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly hostTrust: HostTrust;
  /** Accounts that may be asked for at all; any where absent. */
  readonly logins?: readonly string[];
  /** Where it is an EC2 instance and that matters. */
  readonly instance?: TargetInstance;
};

/** How an EC2 instance is reached and logged in to. */
export type TargetInstance = {
  readonly id: string;
  /** `ssm`: through Session Manager, so that no port need be open. */
  readonly dial: 'direct' | 'ssm';
  /** `instance-connect`: a key pushed for a minute, where the target does not trust the authority's certificates. */
  readonly auth: 'certificate' | 'instance-connect';
};

export type HostTrust =
  /** Keys as `type base64`, one of which the target must present. */
  | { readonly kind: 'pinned'; readonly keys: readonly string[] }
  /** CA keys as `type base64`; the certificate must be valid now and name one of `principals`. */
  | { readonly kind: 'authority'; readonly keys: readonly string[]; readonly principals: readonly string[] };

export interface Inventory {
  find(name: string): Promise<Target | undefined>;
  list(): Promise<readonly Target[]>;
  /** After `find` found nothing: what is known of a target that was there, or that cannot be one. A clause for the engineer. */
  missing?(name: string): string | undefined;
}
