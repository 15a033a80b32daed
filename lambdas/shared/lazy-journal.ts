import type { AuditRecord, Journal } from '#core/contract';
import { journalClosed } from '#core/journal';

type Listener = (record: AuditRecord) => void;

/** A journal that is opened at its first record, so that an invocation that says nothing leaves nothing behind. */
export function createLazyJournal(open: () => Promise<Journal>): Journal {
  const listeners = new Set<Listener>();
  let opening: Promise<Journal> | undefined;
  let closing: Promise<void> | undefined;

  async function openAndListen(): Promise<Journal> {
    const journal = await open();
    journal.subscribe((record) => {
      for (const listener of listeners) listener(record);
    });
    return journal;
  }

  async function close(): Promise<void> {
    // One that could not be opened has told whoever wanted to record.
    const journal = await opening?.catch(() => undefined);
    await journal?.close();
  }

  return {
    async record(draft) {
      if (closing !== undefined) throw journalClosed();
      opening ??= openAndListen();
      return (await opening).record(draft);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}
