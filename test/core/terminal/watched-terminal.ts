import {
  type CommandAmended,
  type CommandSeen,
  type HiddenInput,
  openTerminal,
  type Terminal,
} from '#core/terminal';

/** A terminal on a fake clock with what it told, driven with text. */
export type WatchedTerminal = {
  readonly terminal: Terminal;
  readonly commands: CommandSeen[];
  readonly amended: CommandAmended[];
  readonly hidden: HiddenInput[];
  readonly rows: string[];
  readonly skipped: number[];
  out(text: string): void;
  type(text: string): void;
  wait(ms: number): void;
  finish(): readonly string[];
};

export function watchTerminal(
  options: { columns?: number; rows?: number; startedAtMs?: number; nonce?: string } = {},
): WatchedTerminal {
  const commands: CommandSeen[] = [];
  const amended: CommandAmended[] = [];
  const hidden: HiddenInput[] = [];
  const rows: string[] = [];
  const skipped: number[] = [];
  let nowMs = options.startedAtMs ?? 0;
  const terminal = openTerminal({
    columns: 80,
    rows: 24,
    ...options,
    listener: {
      onCommand: (seen) => commands.push(seen),
      onAmend: (change) => amended.push(change),
      onHiddenInput: (input) => hidden.push(input),
      onRow: (text) => rows.push(text),
      onSkipped: (count) => skipped.push(count),
    },
  });
  return {
    terminal,
    commands,
    amended,
    hidden,
    rows,
    skipped,
    out(text) {
      nowMs += 1;
      terminal.output(Buffer.from(text), nowMs);
    },
    type(text) {
      nowMs += 1;
      terminal.input(Buffer.from(text), nowMs);
    },
    wait(ms) {
      for (const end = nowMs + ms; nowMs < end; ) terminal.tick((nowMs = Math.min(end, nowMs + 50)));
    },
    finish() {
      terminal.finish(nowMs);
      terminal.close();
      return commands.map(({ text }) => text);
    },
  };
}

/** What bash shows around a line: its prompt, and its answer to the accept key. */
export const bash = {
  prompt: '\x1b[?2004halice@web:~$ ',
  accepted: '\r\n\x1b[?2004l\r',
} as const;

/** Types a line key by key, each echoed before the next. */
export function typeEchoed(watched: WatchedTerminal, line: string): void {
  for (const character of line) {
    watched.type(character);
    watched.out(character);
  }
}

export function runInBash(watched: WatchedTerminal, line: string, output = ''): void {
  watched.out(bash.prompt);
  typeEchoed(watched, line);
  watched.type('\r');
  watched.out(bash.accepted + output);
}
