export type LastResortOptions = {
  /** One line for whoever runs the process. */
  readonly report: (line: string) => void;
  /** Puts the end on record and lets go of everything, as far as that still works. */
  readonly stop: (reason: string) => Promise<void>;
  /** What stopping may take. */
  readonly deadlineMs: number;
  readonly exit: (code: number) => void;
};

/**
 * For a fault that nobody caught. The process may be in any state after it, so it says what happened, ends in order where it still can,
 * and ends in any case, with exit code 1: whatever supervises it starts a new one. Returns what takes this back.
 */
export function onUncaughtFault(options: LastResortOptions): () => void {
  let stopping = false;

  // Rejections that nobody handles come here, too: Node raises them where nothing listens for them.
  function take(error: unknown): void {
    options.report(`an unexpected fault, which is a bug: ${stackOf(error)}`);
    if (stopping) return;
    stopping = true;
    void end(messageOf(error));
  }

  async function end(message: string): Promise<void> {
    const deadline = setTimeout(() => options.exit(1), options.deadlineMs);
    try {
      await options.stop(`an unexpected fault: ${message}`);
    } catch (error) {
      options.report(`the end is not on record: ${messageOf(error)}`);
    } finally {
      clearTimeout(deadline);
      options.exit(1);
    }
  }

  process.on('uncaughtException', take);
  return () => void process.off('uncaughtException', take);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
