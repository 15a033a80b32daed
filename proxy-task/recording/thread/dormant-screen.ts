import type { TerminalState } from '#core/recording';

/** What is drawn again when the screen is asked for. */
const maxKeptBytes = 32 * 1024;
/** A screen that nothing was drawn on for so long is let go. */
const idleMs = 60_000;

export type DormantScreen = TerminalState & {
  /** Lets the emulator go where it was idle. Milliseconds on the recording's clock. */
  tick(atMs: number): void;
  close(): void;
};

type Step = { readonly bytes: Uint8Array } | { readonly columns: number; readonly rows: number };

/**
 * A screen that is emulated only while there is much to draw: an emulator takes over 150 KiB, and most sessions most of the time
 * show a prompt. What little was drawn is kept instead, and one that went idle is kept as its snapshot.
 */
export function createDormantScreen(
  size: { readonly columns: number; readonly rows: number },
  wake: (columns: number, rows: number) => TerminalState & { dispose(): void },
): DormantScreen {
  let base = size;
  let now = size;
  let steps: Step[] = [];
  let keptBytes = 0;
  let awake: ReturnType<typeof wake> | undefined;
  let drawnSinceTick = false;
  let idleSinceMs = 0;

  function awakened(): ReturnType<typeof wake> {
    if (awake !== undefined) return awake;
    const fresh = wake(base.columns, base.rows);
    for (const step of steps) {
      if ('bytes' in step) fresh.write(step.bytes);
      else fresh.resize(step.columns, step.rows);
    }
    steps = [];
    keptBytes = 0;
    awake = fresh;
    return fresh;
  }

  function keep(step: Step, bytes: number): void {
    steps.push(step);
    // A step costs more than its bytes.
    keptBytes += bytes + 64;
    if (keptBytes > maxKeptBytes) awakened();
  }

  return {
    write(bytes) {
      drawnSinceTick = true;
      if (awake === undefined) keep({ bytes: Uint8Array.from(bytes) }, bytes.length);
      else awake.write(bytes);
    },
    resize(columns, rows) {
      now = { columns, rows };
      drawnSinceTick = true;
      if (awake === undefined) keep(now, 0);
      else awake.resize(columns, rows);
    },
    snapshot: () => awakened().snapshot(),
    tick(atMs) {
      if (drawnSinceTick) {
        drawnSinceTick = false;
        idleSinceMs = atMs;
      }
      if (awake === undefined || atMs - idleSinceMs < idleMs) return;
      const drawn = awake.snapshot();
      if (drawn === undefined) return;
      const screen = Buffer.from(drawn, 'utf8');
      awake.dispose();
      awake = undefined;
      base = now;
      steps = [{ bytes: screen }];
      keptBytes = 0;
    },
    close() {
      awake?.dispose();
      awake = undefined;
      steps = [];
    },
  };
}
