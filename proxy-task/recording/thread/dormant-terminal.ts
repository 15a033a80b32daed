import { openTerminal, type Terminal, type TerminalOptions } from '#core/terminal';

/** Output of a session in which nothing was typed yet. */
const maxKeptBytes = 32 * 1024;

type Step =
  | { readonly bytes: Uint8Array; readonly atMs: number }
  | { readonly columns: number; readonly rows: number; readonly atMs: number };

/** A command log that emulates nothing before something is typed: a session that only shows its prompt costs what that takes. */
export function createDormantTerminal(options: TerminalOptions): Terminal {
  let steps: Step[] = [];
  let keptBytes = 0;
  let awake: Terminal | undefined;

  function awakened(): Terminal {
    if (awake !== undefined) return awake;
    awake = openTerminal(options);
    for (const step of steps) {
      if ('bytes' in step) awake.output(step.bytes, step.atMs);
      else awake.resize(step.columns, step.rows, step.atMs);
    }
    steps = [];
    return awake;
  }

  function keep(step: Step, bytes: number): void {
    steps.push(step);
    keptBytes += bytes + 64;
    if (keptBytes > maxKeptBytes) awakened();
  }

  return {
    output(bytes, atMs) {
      if (awake === undefined) keep({ bytes: Uint8Array.from(bytes), atMs }, bytes.length);
      else awake.output(bytes, atMs);
    },
    input: (bytes, atMs) => awakened().input(bytes, atMs),
    resize(columns, rows, atMs) {
      if (awake === undefined) keep({ columns, rows, atMs }, 0);
      else awake.resize(columns, rows, atMs);
    },
    tick: (atMs) => awake?.tick(atMs),
    finish: (atMs) => awake?.finish(atMs),
    close() {
      awake?.close();
      awake = undefined;
      steps = [];
    },
    readPendingLine: () => awakened().readPendingLine(),
    findAcceptKeys: (bytes) => awakened().findAcceptKeys(bytes),
    snapshot: () => awakened().snapshot(),
    screenText: () => awakened().screenText(),
  };
}
