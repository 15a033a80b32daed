/** How sure the text is: the shell said it; screen and keys agree or the prompt stood still; read with a guess; little to go by. */
export type CommandConfidence = 'exact' | 'high' | 'medium' | 'low';

/** `input` is a line given to a program that asked; `repl` one given to an interpreter other than a shell. */
export type CommandKind = 'command' | 'input' | 'repl';

/** A line that was accepted. Its text is what the other side showed, never keys that were not echoed. */
export type CommandSeen = {
  /** Counts the commands of one terminal from 1; amendments name it. */
  readonly number: number;
  /** When the accept key was pressed. */
  readonly atMs: number;
  /** The same, since the terminal was opened: the place in the recording. */
  readonly offsetMs: number;
  readonly text: string;
  readonly kind: CommandKind;
  readonly confidence: CommandConfidence;
  readonly prompt: string;
};

/** What was learnt about a command after it was told: more lines of it, or that it was interrupted before it ran. */
export type CommandAmended = {
  readonly number: number;
  readonly text: string;
  readonly aborted: boolean;
};

/** Something was typed and not shown, as passwords are. The keys are not kept. */
export type HiddenInput = { readonly atMs: number; readonly offsetMs: number; readonly prompt: string };

export type TerminalListener = {
  onCommand(seen: CommandSeen): void;
  onAmend(amended: CommandAmended): void;
  onHiddenInput(hidden: HiddenInput): void;
  /** A row that a line feed ended, for search. Not told of alternate screens, nor of output that was skipped. */
  onRow?(text: string, atMs: number): void;
  /** So much output went by too fast to be read. */
  onSkipped?(bytes: number, atMs: number): void;
};

/** The line that would run if it were accepted now. */
export type PendingLine = {
  /** With the lines of the same command that were accepted before it. */
  readonly text: string;
  /** Rows under the cursor: the rest of a command whose cursor was moved up, or a list of completions. */
  readonly below: string;
  readonly prompt: string;
  readonly confidence: CommandConfidence;
  /** Whether a shell edits the line, the kernel does, a program owns the screen, or nothing was typed. */
  readonly state: 'editing' | 'cooked' | 'alt' | 'none';
  /** The screen shows just what was typed: nothing is on its way any more that would change the text. */
  readonly echoed: boolean;
  /** What the keys would make of the line, where they tell and a shell will show it, however late. Never to be kept. */
  readonly typed: string | undefined;
};
