import type { AuditRecord } from '#core/contract';

/** Who is told of durable records. */
export type RecordListeners = {
  subscribe(listener: (record: AuditRecord) => void): () => void;
  tell(records: readonly AuditRecord[]): void;
};

/** What a listener throws goes to `onFault`, and the others are told all the same. */
export function recordListeners(onFault: (error: Error) => void): RecordListeners {
  const listeners = new Set<(record: AuditRecord) => void>();
  return {
    subscribe(listener) {
      // An object of its own, so that one function may be subscribed twice.
      const own = (record: AuditRecord) => listener(record);
      listeners.add(own);
      return () => listeners.delete(own);
    },
    tell(records) {
      for (const record of records)
        for (const listener of listeners) {
          try {
            listener(record);
          } catch (error) {
            onFault(error instanceof Error ? error : new Error(String(error)));
          }
        }
    },
  };
}
